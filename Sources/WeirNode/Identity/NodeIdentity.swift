internal import AsyncHTTPClient
internal import Logging
internal import Synchronization
internal import WeirDestinations
package import WeirDirectory
internal import WeirFlow
internal import WeirGates
package import WeirIdentity
internal import WeirSettings
internal import WeirStore
internal import WeirWorld

/// Identity of one node: silos, engine, approvals and their timers. What it keeps lies under `data/identity/`:
///
///     identity.db      objects, syncs, actions, decisions
///     approval.keys    what links are signed with (0600)
///     notices.json     who was mailed what
package final class NodeIdentity: Sendable {
    private struct Parts: Sendable {
        var database: IdentityDatabase
        var silos: [SiloPart]
        var engine: IdentityEngine
        var desk: ApprovalDesk
        var notifier: ApprovalNotifier
    }

    let settings: IdentitySettings
    private let plan: NodePlan
    private let directory: String
    private let means: DestinationMeans
    private let gates: GateRegistry
    private let tunnel: NodeTunnel?
    private let opened = Mutex<Parts?>(nil)
    private let stopping = Receipt()

    /// - Returns: `nil` when the configuration has none.
    init?(plan: NodePlan, directory: String, gates: GateRegistry, tunnel: NodeTunnel?, means: DestinationMeans) {
        guard let settings = plan.settings.identity else { return nil }
        self.settings = settings
        self.plan = plan
        self.directory = directory + "/identity"
        self.means = means
        self.gates = gates
        self.tunnel = tunnel
    }

    /// Opens what is kept and the silos; reads none of them yet.
    func open() async throws(NodeFailure) {
        let world = means.world
        let directory = directory
        let path = directory + "/approval.keys"
        do {
            let lane = world.blocking.lane("identity")
            defer { lane.close() }
            let keys = try await lane.run {
                try world.files.makeDirectory(directory)
                return try ApprovalKeys.open(path: path, world: world)
            }
            let database = try await IdentityDatabase.open(
                path: directory + "/identity.db", tables: [ObjectTables.tables, IdentityEngine.tables], world: world)
            let silos = try makeSilos()
            let keeper = try await ObjectKeeper(silos, joins: joins, database: database, world: world)
            let engine = try await IdentityEngine.open(
                settings: engineSettings, keeper: keeper, database: database, channels: channels, gates: gates,
                world: world)
            let notifier = ApprovalNotifier(
                service: engine, keys: keys, mail: settings.mail, webhook: settings.webhook,
                carrier: settings.mail.map { SMTPCarrier($0, world: world) }, http: HTTPClientSender(means.http),
                path: directory + "/notices.json", world: world)
            await notifier.restore()
            let desk = ApprovalDesk(service: engine, keys: keys, world: world)
            opened.withLock {
                $0 = Parts(
                    database: database, silos: silos, engine: engine, desk: desk,
                    notifier: notifier)
            }
        } catch let failure as NodeFailure {
            throw failure
        } catch {
            throw NodeFailure(
                "Identity could not be opened: \(error).",
                help: "Its data is \(directory); give Weir's user the right to write there.")
        }
    }

    /// Timers and notices, until `stop`.
    func run() async {
        guard let parts = opened.withLock({ $0 }) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await parts.engine.run() }
            group.addTask { await parts.notifier.run() }
            await withTaskCancellationHandler {
                _ = await stopping.settled()
            } onCancel: {
                stopping.settle(.kept)
            }
            group.cancelAll()
        }
        for silo in parts.silos { await silo.provider.close() }
        await parts.database.close()
    }

    func stop() { stopping.settle(.kept) }

    // MARK: Parts

    private var joins: [JoinRule] {
        settings.joins.compactMap { join in
            settings.kind(named: join.objects).map { JoinRule(kind: $0, key: join.key.text) }
        }
    }

    private var engineSettings: EngineSettings {
        var engine = EngineSettings()
        engine.rules = settings.ruleBook
        engine.label = settings.label.text
        engine.vip = settings.vip?.text
        engine.vipFor = .seconds(settings.vipDays * 86_400)
        engine.env = Dictionary(
            settings.env.entries.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        engine.full = settings.sync.full
        engine.delta = settings.sync.delta
        return engine
    }

    private var channels: [String: any EventChannel] {
        let sender = HTTPClientSender(means.http)
        return Dictionary(
            settings.channels.entries.compactMap { entry in
                entry.value.url.map { url in
                    (
                        entry.name,
                        WebhookChannel(
                            url: url, token: entry.value.token.text, timeout: entry.value.timeout, sender: sender)
                            as any EventChannel
                    )
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    private func makeSilos() throws(NodeFailure) -> [SiloPart] {
        var parts: [SiloPart] = []
        for entry in settings.silos.entries {
            let kinds = entry.value.types.map { ObjectKind(silo: entry.name, type: $0) }
            let common = entry.value.typed.common
            let making = SiloMaking(
                name: entry.name, common: common, world: means.world, http: means.http,
                dial: { [tunnel] connector in
                    try await tunnel.orThrow().dial(connector)
                }
            )
            let provider = try making.make(entry.value.typed.own)
            var part = SiloPart(name: entry.name, type: entry.value.typed.kind, provider: provider, kinds: kinds)
            part.gate.dropMost = (common.shrink ?? settings.sync.shrinkBasisPoints).basisPoints
            part.gate.dropFloor = settings.sync.shrinkAtLeast
            parts.append(part)
        }
        return parts
    }
}

extension Optional where Wrapped == NodeTunnel {
    fileprivate func orThrow() throws(NodeFailure) -> NodeTunnel {
        guard let self else {
            throw NodeFailure(
                "This node has no tunnel.",
                help: "Declare the connector under `tunnel`; without a server (`--config`) there is none.")
        }
        return self
    }
}

extension NodeIdentity: IdentityAccess {
    private var parts: Parts {
        guard let parts = opened.withLock({ $0 }) else {
            preconditionFailure("identity is asked before it is open")
        }
        return parts
    }

    package var isOpen: Bool { opened.withLock { $0 != nil } }
    package var service: any IdentityService { parts.engine }
    package var desk: ApprovalDesk { parts.desk }
    package var notices: NoticeBook { parts.notifier.book }

    package var approvalHost: String? {
        settings.mail.flatMap { mail in
            let rest = mail.base.firstRange(of: "://").map { mail.base[$0.upperBound...] }
            return rest.map { String($0.prefix { $0 != "/" }) }
        }
    }

    package var isApprovalSecure: Bool { settings.mail?.base.hasPrefix("https://") ?? false }
    package var givesNowConnectNames: Bool { plan.settings.metrics.tunnelNames == .nowconnect }

    package var directories: [(silo: String, figures: DirectoryCounters.Value)] {
        parts.silos.compactMap { silo in (silo.provider as? LDAPProvider).map { (silo.name, $0.counters) } }
    }

    package func notify() async { await parts.notifier.look() }
}
