import Logging
import NIOCore
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirStore
package import WeirWorld

/// Weir as connectors see it: registrations, states, works, and a durable work queue for each, whose bundles the
/// workers cut into events for the routes.
///
/// One object for all doors. It holds the gate of every connector and publishes it as `connector/ID`.
package final class Connectors: ConnectorPlatform {
    package let settings: ConnectorsSettings
    let book: ConnectorBook
    let door: PushDoor
    let queues: WorkQueues
    let workers: Workers
    let gates: GateRegistry
    let world: World
    private let stopping = Mutex(false)

    private init(
        directory: String, ledger: Ledger, intake: any Intake, gates: GateRegistry, settings: ConnectorsSettings,
        world: World
    ) {
        self.settings = settings
        self.world = world
        self.gates = gates
        book = ConnectorBook(ledger: ledger, settings: settings, world: world)
        door = PushDoor(book: book, settings: settings, world: world)
        queues = WorkQueues(root: directory, book: book, settings: settings, world: world)
        workers = Workers(intake: intake, book: book, queues: queues, settings: settings, world: world)
    }

    /// Reads the ledger and opens the queues that have something in them, so that what waited before a restart counts
    /// from the first moment.
    /// - Parameters:
    ///   - directory: `data/connectors`; made when missing.
    ///   - intake: the routes.
    package static func open(
        directory: String, ledger: Ledger, intake: any Intake, gates: GateRegistry, settings: ConnectorsSettings,
        world: World
    ) async throws(ConnectorFailure) -> Connectors {
        let contents: ConnectorDocuments.Contents
        do {
            contents = try await ConnectorDocuments.read(ledger)
        } catch let failure as ConnectorFailure {
            throw failure
        } catch {
            throw ConnectorFailure(.storage, "\(error)")
        }
        let connectors = Connectors(
            directory: directory, ledger: ledger, intake: intake, gates: gates, settings: settings, world: world)
        connectors.book.restore(contents)
        connectors.book.whenWritten { [weak connectors] id, marks in connectors?.queues[id].written(marks) }
        gates.publish(contents.entries.map { connectors.gateEntry($0.record.id) })
        for (id, marks) in contents.marks.sorted(by: { $0.key < $1.key })
        where marks.isOpen || marks.level.messages > 0 {
            await connectors.warm(id)
        }
        return connectors
    }

    private func warm(_ id: ConnectorID) async {
        do throws(StoreFailure) {
            _ = try await queues[id].use()
            queues[id].endUse()
        } catch {
            world.log.error(
                "a connector's work queue cannot be opened; it counts as full",
                metadata: ["connector": "\(id)", "error.kind": "\(error.code)", "error": "\(error)"])
        }
        workers.ready(id)
    }

    // MARK: Running

    /// Delivers what is in the queues and writes down what happens, until `stop` was called and what is on its way is
    /// settled, or the task is cancelled. Then everything is closed.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepBook() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.workers.deadLetters.look() }
            await workers.run()
            group.cancelAll()
        }
        await close()
    }

    /// Takes nothing more and ends `run`. Pushes that wait at a gate are sent away.
    package func stop() {
        stopping.withLock { $0 = true }
        door.stop()
        workers.stop()
    }

    /// Writes down what is not written and closes the queues. `run` does it at its end.
    package func close() async {
        stop()
        do throws(StoreFailure) {
            try await book.flush()
            try await book.flushReports(isLast: true)
        } catch {
            world.log.error(
                "the last changes of connectors were not written", metadata: ["error.kind": "\(error.code)"])
        }
        await queues.close()
        await workers.close()
    }

    var isStopping: Bool { stopping.withLock { $0 } }

    /// What was settled is written together, soon.
    private func keepBook() async {
        while !Task.isCancelled {
            await book.dirtied.wait()
            do { try await world.time.sleep(for: settings.settleEvery) } catch { return }
            do throws(StoreFailure) {
                try await book.flush()
            } catch {
                world.log.error("the ledger cannot be written", metadata: ["error.kind": "\(error.code)"])
                book.dirtied.poke()
                do { try await world.time.sleep(for: .seconds(5)) } catch { return }
            }
        }
    }

    /// Writes down the pings that are only in memory. `run` does it once a minute, for those where it is due.
    package func writeHeartbeats() async throws(ConnectorFailure) {
        do throws(StoreFailure) { try await book.flushReports(isLast: true) } catch { throw ConnectorFailure(error) }
    }

    /// Heartbeats and idle queues.
    private func keepTime() async {
        while !Task.isCancelled {
            do { try await world.time.sleep(for: settings.heartbeatEvery) } catch { return }
            do throws(StoreFailure) {
                try await book.flushReports()
            } catch {
                world.log.warning("heartbeats were not written", metadata: ["error.kind": "\(error.code)"])
            }
            await queues.closeIdle(for: settings.idleClose)
        }
    }
}
