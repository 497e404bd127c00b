internal import Logging
internal import Synchronization
internal import WeirDestinations
internal import WeirExpressions
internal import WeirFlow
internal import WeirGates
internal import WeirSettings
internal import WeirStore
package import WeirTunnel
internal import WeirWorld

/// The hub of one node: agents come in at its door, clients at its listeners. What it knows of agents lies in the
/// node's ledger.
package final class NodeTunnel: Sendable {
    private struct Parts: Sendable {
        var trust: HubTrust
        var hub: Hub
        var door: HubDoor
    }

    let settings: TunnelSettings
    let plan: NodePlan
    let world: World
    private let means: DestinationMeans
    let meters: TunnelMeters
    /// Decides for hubs elsewhere too; `nil` unless the configuration has rules.
    package let decisions: DecisionService?
    private let audit: AuditFile
    private let opened = Mutex<Parts?>(nil)
    private let stopping = Receipt()

    /// - Returns: `nil` when the configuration has no tunnel.
    init?(plan: NodePlan, directory: String, means: DestinationMeans) {
        guard let settings = plan.settings.tunnel else { return nil }
        self.settings = settings
        self.plan = plan
        self.means = means
        world = means.world
        meters = TunnelMeters(connectors: settings.connectors.names, time: means.world.time)
        audit = AuditFile(directory: directory + "/audit", world: means.world)
        decisions = plan.decisionPoint.map { DecisionService($0, base: settings.policy?.publicURL) }
    }

    var hub: Hub? { opened.withLock { $0?.hub } }
    var trust: HubTrust? { opened.withLock { $0?.trust } }
    /// Where agents come in; for tests, which let the system choose.
    package var port: Int? { opened.withLock { $0?.door.port } }

    /// Reads what is known of agents. Listeners come with `listen`.
    func open(_ ledger: Ledger) async throws(NodeFailure) {
        do throws(TunnelFailure) {
            let bearer = settings.jwt.map { jwt in
                var trusted = BearerTrust.Settings(keys: jwt.keys)
                trusted.audience = jwt.audience
                trusted.issuer = jwt.issuer
                trusted.requiresConnectors = jwt.requiresScopes
                return BearerTrust(trusted, http: means.http, world: world)
            }
            var trusting = HubTrust.Settings()
            trusting.name = settings.name
            trusting.names = Array(Set(trusting.names + settings.names)).sorted()
            trusting.agentLife = settings.certificateLife
            let registry = try await registry(on: means.eventLoops)
            let trust = try await HubTrust.open(
                trusting, ledger: ledger, bearer: bearer, shared: shared(registry), world: world)
            let mesh = mesh(registry, on: means.eventLoops)
            let hub = Hub(
                hubSettings, policy: policy, trust: trust, observer: meters, auditor: audit, mesh: mesh,
                world: world)
            mesh?.attach(hub)
            let door = HubDoor(doorSettings, hub: hub, eventLoops: means.eventLoops, world: world)
            opened.withLock { $0 = Parts(trust: trust, hub: hub, door: door) }
        } catch {
            throw NodeFailure(error.message, help: error.help ?? "It is set under `tunnel`.")
        }
    }

    /// Opens the door for agents and the listeners for clients.
    func listen() async throws(NodeFailure) {
        guard let parts = opened.withLock({ $0 }) else { return }
        do throws(TunnelFailure) {
            try await parts.door.open()
            try await parts.hub.mesh?.open(parts.trust)
            try parts.hub.open()
        } catch {
            throw NodeFailure(
                error.message, help: error.help ?? "It is set by `tunnel.listen` and `tunnel.connectors.NAME.listen`.")
        }
    }

    /// Until `stop` was called and what is open has ended, or the hub's drain is over.
    func run() async {
        guard let parts = opened.withLock({ $0 }) else { return }
        await withTaskGroup(of: Void.self) { audit in
            // Ends last: connections that end while the hub drains are recorded too.
            audit.addTask { await self.audit.run() }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await parts.door.run() }
                group.addTask { await parts.hub.run() }
                group.addTask { await parts.hub.mesh?.run(parts.hub) }
                await withTaskCancellationHandler {
                    _ = await stopping.settled()
                } onCancel: {
                    stopping.settle(.kept)
                }
                group.cancelAll()
            }
            audit.cancelAll()
        }
    }

    func stop() { stopping.settle(.kept) }

    // MARK: Settings

    private var hubSettings: Hub.Settings {
        var hub = Hub.Settings()
        hub.name = settings.name
        hub.version = Release.version
        hub.connectTimeout = settings.limits.connectTimeout
        hub.drainMost = plan.settings.stopWithin
        hub.session.windowMost = settings.limits.queueDepth << 14
        hub.session.memory = Int(clamping: settings.memory.bytes)
        hub.session.idleTimeout = settings.limits.idleTimeout
        hub.session.pingEvery = settings.pingEvery
        hub.session.pingTimeout = settings.pingTimeout
        hub.connectionsMost = settings.limits.connectionsMost
        hub.recheckEvery = settings.policy?.recheckEvery
        for entry in settings.connectors.entries {
            hub.connectorMost[entry.name] = entry.value.connectionsMost
            hub.bandwidth[entry.name] = entry.value.bandwidth?.perSecond.bytes
        }
        hub.listeners = settings.connectors.entries.flatMap { entry in
            entry.value.listen.values.compactMap { text in
                NetworkAddress(listening: text).map { address in
                    var listener = Hub.Listener(
                        name: "\(address)", host: address.host, port: address.port, connector: entry.name)
                    listener.limits.allow = entry.value.allow.compactMap { AddressRange($0) }
                    listener.limits.perClientMost = entry.value.perClientMost
                    listener.balancers = entry.value.balancers.compactMap { AddressRange($0) }
                    return listener
                }
            }
        }
        return hub
    }

    private var doorSettings: HubDoor.Settings {
        var door = HubDoor.Settings()
        let address = settings.address
        door.host = address.host
        door.port = address.port
        door.path = settings.path
        door.isPlain = settings.isPlain
        door.certificateFile = settings.tls?.certificate
        door.keyFile = settings.tls?.key
        door.clientAuthorityFile = settings.tls?.clientCA
        return door
    }

    private var policy: any OpenPolicy {
        if let point = plan.decisionPoint { return StaticPolicy(point, hub: settings.name) }
        guard let wanted = settings.policy, let url = wanted.url else { return OpenToAll() }
        var asking = AuthZENPolicy.Settings(url: url)
        asking.hub = settings.name
        asking.timeout = wanted.timeout
        asking.failsOpen = wanted.onError == .allow
        asking.cache = DecisionCache(allowFor: wanted.cacheFor)
        if wanted.token.isSet { asking.authorization = "Bearer \(wanted.token.text)" }
        return AuthZENPolicy(asking, http: means.http, world: world)
    }
}
