import Logging
import NIOCore
import Synchronization
import WeirConnectors
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

/// The connectors of one node: ledger, work queues, doors and schedules. There is none of it where the configuration
/// names no connector and opens no door.
///
///     data/
///       ledger                              registrations, states, works, audit
///       connectors/ID/queue/…               what a connector has pushed and no receiver has taken yet
///       connectors/ID/spool/…               long bundles
///       connectors/~dead-letters/…          bundles that cannot be read
package final class NodeConnectors: Sendable {
    struct Parts: Sendable {
        var ledger: Ledger
        var platform: Connectors
        var door: OpenCTIDoor?
    }

    let world: World
    let gates: GateRegistry
    let plan: NodePlan
    private let directory: String
    private let intake: any Intake
    private let opened = Mutex<Parts?>(nil)

    /// - Returns: `nil` when the configuration has no connectors.
    init?(plan: NodePlan, directory: String, intake: any Intake, gates: GateRegistry, world: World) {
        guard plan.settings.hasConnectors else { return nil }
        self.plan = plan
        self.directory = directory
        self.intake = intake
        self.gates = gates
        self.world = world
    }

    /// `nil` until everything is open.
    var parts: Parts? { opened.withLock { $0 } }

    /// Opens the ledger and the queues, so that what waited before a restart counts before anybody can push; the
    /// doors come with the listeners.
    func open() async throws(NodeFailure) {
        do {
            let ledger = try await Ledger.open(path: directory + "/ledger", world: world)
            let platform = try await Connectors.open(
                directory: directory + "/connectors", ledger: ledger, intake: intake, gates: gates,
                settings: plan.settings.connectorsSettings, world: world)
            let parts = Parts(ledger: ledger, platform: platform, door: door(to: platform))
            opened.withLock { $0 = parts }
        } catch {
            throw NodeFailure(
                "The connectors could not be opened: \(error).",
                help: "The ledger is \(directory)/ledger; give Weir's user the right to write there.")
        }
    }

    private func door(to platform: Connectors) -> OpenCTIDoor? {
        guard let settings = plan.settings.openCTI else { return nil }
        var door = OpenCTIDoor.Settings()
        door.bundleMost = Int(clamping: settings.bundleMost.bytes)
        door.holdMost = settings.hold
        return OpenCTIDoor(platform: platform, broker: nil, world: world, settings: door) { settings.allows($0) }
    }

    /// Delivers what is in the work queues until `stopTaking` was called and what is on its way is settled.
    func run() async { await parts?.platform.run() }

    package func stopTaking() { parts?.platform.stop() }

    /// After `run` has returned.
    func close() async { await parts?.ledger.close() }
}
