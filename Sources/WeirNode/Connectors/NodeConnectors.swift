import Logging
import Synchronization
import WeirCalls
import WeirConnectors
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirSources
import WeirStore
import WeirWorld

/// The connectors of one node: work queues, doors and schedules. There is none of it where the configuration
/// names no connector and opens no door.
///
///     data/
///       ledger                              registrations, states, works, schedules, keys, audit
///       connectors/ID/queue/…               what a connector has pushed and no receiver has taken yet
///       connectors/ID/spool/…               long bundles
///       connectors/~dead-letters/…          bundles that cannot be read
///       connectors/~scratch/…               what a run needs as long as it goes on
package final class NodeConnectors: Sendable {
    struct Parts: Sendable {
        var ledger: Ledger
        var platform: Connectors
        var runner: ScheduleRunner
        var ingress: AMQPIngress?
        var rabbit: RabbitBroker?
        var door: OpenCTIDoor?
    }

    let world: World
    let gates: GateRegistry
    let plan: NodePlan
    let environment: [String: String]
    let means: DestinationMeans
    let directory: String
    private let intake: any Intake
    private let opened = Mutex<Parts?>(nil)
    struct Run: Sendable {
        /// Of the run under way.
        var since: WallTime?
        /// Why the last one failed, until one does not.
        var failure: Reason?
    }

    /// Of connectors that Weir runs itself.
    let runs = Mutex<[ConnectorID: Run]>([:])
    let indexing: ConnectorIndexing
    private let stopping = Receipt()

    /// - Returns: `nil` when the configuration has no connectors.
    init?(
        plan: NodePlan, directory: String, intake: any Intake, gates: GateRegistry, means: DestinationMeans,
        environment: [String: String]
    ) {
        guard plan.settings.hasConnectors else { return nil }
        self.plan = plan
        self.directory = directory
        self.intake = intake
        self.gates = gates
        self.means = means
        self.environment = environment
        world = means.world
        indexing = ConnectorIndexing(time: means.world.time)
    }

    /// `nil` until everything is open.
    var parts: Parts? { opened.withLock { $0 } }

    /// Opens the queues, so that what waited before a restart counts before anybody can push; the
    /// doors come with `listen`.
    func open(_ ledger: Ledger) async throws(NodeFailure) {
        do {
            let platform = try await Connectors.open(
                directory: directory + "/connectors", ledger: ledger, intake: intake, gates: gates,
                settings: plan.connectorsSettings, world: world)
            let keys = LedgerKeys(ledger: ledger)
            let rabbit = try rabbit(platform, keys)
            let ingress = try rabbit == nil ? ingress(platform, keys) : nil
            let parts = Parts(
                ledger: ledger, platform: platform, runner: runner(platform),
                ingress: ingress, rabbit: rabbit, door: door(platform, rabbit ?? ingress))
            try await addConfigured(parts)
            opened.withLock { $0 = parts }
        } catch let failure as SourceFailure {
            throw NodeFailure(
                failure.reason.sentence, help: "\(failure.help) They are set by `opencti.amqp.tls`.")
        } catch let failure as NodeFailure {
            throw failure
        } catch {
            throw NodeFailure(
                "The connectors could not be opened: \(error).",
                help: "The ledger is \(directory)/ledger; give Weir's user the right to write there.")
        }
    }

    /// Opens the doors.
    func listen() async throws(NodeFailure) {
        do throws(ConnectorFailure) {
            try await parts?.ingress?.open()
        } catch {
            throw NodeFailure(error.message, help: "It is set by `opencti.amqp.listen`.")
        }
    }

    private func ingress(_ platform: Connectors, _ keys: LedgerKeys) throws -> AMQPIngress? {
        guard let opencti = plan.settings.openCTI, let address = opencti.amqp.address else { return nil }
        var settings = AMQPIngress.Settings()
        settings.host = address.host
        settings.port = address.port
        settings.advertisedHost = opencti.amqp.told.host.isEmpty ? nil : opencti.amqp.told.host
        settings.advertisedPort = opencti.amqp.told.port
        settings.connectionsMost = opencti.amqp.connectionsMost
        settings.heldMost = Int(clamping: opencti.amqp.memory.bytes)
        // A bundle grows by a third in base64, and there is a little round it.
        settings.messageMost = Int(clamping: opencti.bundleMost.bytes / 3 * 4) + (1 << 20)
        settings.secure = try opencti.amqp.tls?.securing()
        settings.version = Release.version
        return AMQPIngress(
            platform: platform, keys: keys, world: world, settings: settings, eventLoops: means.eventLoops)
    }

    private func rabbit(_ platform: Connectors, _ keys: LedgerKeys) throws(NodeFailure) -> RabbitBroker? {
        guard let opencti = plan.settings.openCTI, let broker = opencti.broker?.settings else { return nil }
        do throws(TLSFileFailure) {
            return RabbitBroker(
                platform, keys: keys,
                settings: try broker.broker(management: opencti.management, version: Release.version),
                eventLoops: means.eventLoops)
        } catch {
            throw NodeFailure("\(error.sentence).", help: "It is set by `opencti.broker.tls`.")
        }
    }

    private func door(_ platform: Connectors, _ broker: (any BundleBroker)?) -> OpenCTIDoor? {
        guard let settings = plan.settings.openCTI else { return nil }
        var door = OpenCTIDoor.Settings()
        door.bundleMost = Int(clamping: settings.bundleMost.bytes)
        door.holdMost = settings.hold
        return OpenCTIDoor(platform: platform, broker: broker, world: world, settings: door) { settings.allows($0) }
    }

    // MARK: Running

    /// Runs what is due and delivers what is in the work queues, until `stopTaking` was called and what is on its way
    /// is settled.
    func run() async {
        guard let parts else { return }
        async let connecting: Void? = parts.rabbit?.run()
        async let delivering: Void = parts.platform.run()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await parts.runner.run() }
            group.addTask { await self.keepIndex(parts.platform) }
            await withTaskCancellationHandler {
                _ = await stopping.settled()
            } onCancel: {
                stopping.settle(.kept)
            }
            // Runs are stopped, not failed: so they end before their pushes are refused.
            group.cancelAll()
            if let ingress = parts.ingress { group.addTask { await ingress.stop() } }
        }
        parts.platform.stop()
        await delivering
        parts.rabbit?.stop()
        _ = await connecting
    }

    package func stopTaking() { stopping.settle(.kept) }
}
