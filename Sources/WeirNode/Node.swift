import AsyncHTTPClient
import Logging
import ServiceLifecycle
import Synchronization
import WeirDelivery
package import WeirDestinations
import WeirFlow
package import WeirGates
import WeirSettings
import WeirSources
import WeirStore
package import WeirWorld

/// One node: sources, routes and the chains round destinations, built from one plan, run until it is told to stop.
///
/// Started from the receivers' end to the senders' end, so that nothing comes in before it can go out; stopped the
/// other way round, so that what came in still goes out.
package final class Node: NodeAccess, Service {
    package let version: String
    package let started: WallTime
    package let world: World
    package let gates = GateRegistry()
    package let warnings: [String]
    let plan: NodePlan
    let means: DestinationMeans
    let sourceList: [(name: String, source: any Source)]
    let chains: [DeliveryChain]
    let composed: [ComposedDestination]
    let router: Routes
    let storage: NodeStorage
    let orphans: OrphanQueues
    let connectorParts: NodeConnectors?
    let tunnelParts: NodeTunnel?
    let identityParts: NodeIdentity?
    private let ledger = Mutex<Ledger?>(nil)
    private let progress = Mutex(Progress())

    private struct Progress {
        var isOpen = false
        var openSources: Set<String> = []
        var failures: [String: Reason] = [:]
    }

    /// - Throws: `NodeFailure` when the data directory cannot be used.
    /// - Parameter environment: of the process; what programs that connectors run inherit is taken from it.
    package init(
        plan: NodePlan, means: DestinationMeans, version: String, environment: [String: String] = [:]
    ) async throws(NodeFailure) {
        self.plan = plan
        self.means = means
        self.version = version
        world = means.world
        started = means.world.time.wall
        warnings = plan.warnings.map(\.description)
        storage = try await NodeStorage.open(plan.settings.data, world: means.world)
        let assembly = NodeAssembly(plan: plan, means: means, gates: gates, storage: storage)
        chains = assembly.chains
        composed = assembly.composed
        router = assembly.routes
        sourceList = assembly.sources
        orphans = OrphanQueues(
            shelf: QueueShelf(data: storage.directory, files: means.world.files),
            destinations: assembly.chains + assembly.composed, world: means.world)
        connectorParts = NodeConnectors(
            plan: plan, directory: storage.directory, intake: assembly.connectorIntake, gates: gates, means: means,
            environment: environment)
        tunnelParts = NodeTunnel(plan: plan, directory: storage.directory, means: means)
        identityParts = NodeIdentity(
            plan: plan, directory: storage.directory, gates: gates, tunnel: tunnelParts, means: means)
    }

    /// Opens everything: queues, gates, endpoints, then the listeners. Afterwards the node is ready and `run` moves
    /// events.
    package func open() async throws(NodeFailure) {
        for chain in chains {
            do {
                try await chain.open()
            } catch {
                throw NodeFailure(
                    "The destination `\(chain.name)` could not be opened: \(error).", help: "See the message above.")
            }
        }
        for destination in composed { destination.publish() }
        await orphans.look()
        orphans.tell()
        if connectorParts != nil || tunnelParts != nil {
            let ledger = try await openLedger()
            try await connectorParts?.open(ledger)
            try await tunnelParts?.open(ledger)
        }
        try await identityParts?.open()
        for (name, source) in sourceList {
            do throws(SourceFailure) {
                try await source.open()
            } catch {
                throw NodeFailure(
                    "The source `\(name)` could not be opened. \(error.reason.sentence)", help: error.help)
            }
            progress.withLock { _ = $0.openSources.insert(name) }
        }
        try await connectorParts?.listen()
        try await tunnelParts?.listen()
        progress.withLock { $0.isOpen = true }
    }

    private func openLedger() async throws(NodeFailure) -> Ledger {
        let path = storage.directory + "/ledger"
        do throws(StoreFailure) {
            let opened = try await Ledger.open(path: path, world: world)
            ledger.withLock { $0 = opened }
            return opened
        } catch {
            throw NodeFailure(
                "The ledger could not be opened: \(error).",
                help: "It is \(path); give Weir's user the right to write there.")
        }
    }

    /// Moves events until the service group shuts down or the task is cancelled.
    package func run() async throws {
        let stopWithin = plan.settings.stopWithin
        await withGracefulShutdownHandler {
            // The chains outlive the sources: what a source had read is still delivered.
            await withTaskGroup(of: Void.self) { outer in
                for chain in chains { outer.addTask { await chain.run() } }
                if let connectorParts { outer.addTask { await connectorParts.run() } }
                if let tunnelParts { outer.addTask { await tunnelParts.run() } }
                if let identityParts { outer.addTask { await identityParts.run() } }
                // Cancelled as soon as the sources have stopped.
                async let _ = orphans.run()
                await withTaskGroup(of: Void.self) { inner in
                    for (name, source) in sourceList { inner.addTask { await self.run(source, name) } }
                    // A node without sources, or whose sources have ended (stdin), goes on until it is told to stop.
                    inner.addTask { await self.untilStopped() }
                }
                connectorParts?.stopTaking()
                tunnelParts?.stop()
                identityParts?.stop()
                for chain in chains { outer.addTask { await chain.stop(drainWithin: stopWithin) } }
            }
        } onGracefulShutdown: {
            self.stopping.settle(.kept)
        }
        for destination in composed { destination.withdraw() }
        await ledger.withLock { $0 }?.close()
        await storage.close()
    }

    private let stopping = Receipt()

    private func untilStopped() async {
        await withTaskCancellationHandler {
            _ = await stopping.settled()
        } onCancel: {
            self.stopping.settle(.kept)
        }
        world.log.notice("Weir stops: no more is read, what was read is delivered.")
        await withTaskGroup(of: Void.self) { group in
            for (_, source) in sourceList { group.addTask { await source.stop() } }
        }
    }

    private func run(_ source: any Source, _ name: String) async {
        do {
            try await source.run()
        } catch is CancellationError {
        } catch {
            world.log.error("A source has failed.", metadata: ["source": "\(name)", "error": "\(error)"])
            progress.withLock { $0.failures[name] = Reason("failed", "\(error)") }
        }
    }

    /// True once everything was opened.
    package var isOpen: Bool { progress.withLock { $0.isOpen } }

    /// Where API and console listen: `127.0.0.1:9471`, or `off`.
    package var apiAddress: String { plan.settings.api.listen }

    /// The port that a source listens on; `nil` when it does not.
    package func port(ofSource name: String) -> Int? {
        let address = sourceList.first { $0.name == name }?.source.addresses.first
        return address?.split(separator: ":").last.flatMap { Int($0) }
    }

    func failure(ofSource name: String) -> Reason? { progress.withLock { $0.failures[name] } }
    func isSourceOpen(_ name: String) -> Bool { progress.withLock { $0.openSources.contains(name) } }
}

/// Why a node could not start.
package struct NodeFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var message: String
    package var help: String

    package init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }

    package var description: String { help.isEmpty ? message : "\(message) \(help)" }
}
