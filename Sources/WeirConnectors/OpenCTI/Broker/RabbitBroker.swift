internal import AsyncHTTPClient
internal import Logging
package import NIOCore
package import NIOSSL
internal import Synchronization
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// A RabbitMQ beside Weir, as OpenCTI has one: connectors publish there, and Weir's workers consume.
///
/// Weir has the queues made that connectors need, tells connectors where to publish, reads how much waits, and removes
/// what belonged to a connector with it. It publishes nothing itself: what comes by the API goes into Weir's own
/// queues. As long as RabbitMQ or its management API cannot be reached, every connector's queue counts as full.
package final class RabbitBroker: BundleBroker {
    package struct Settings: Sendable {
        package var address: BrokerAddress
        /// For `amqps` and `https`; its certificate is always verified.
        package var tls: TLSConfiguration
        /// The name that the certificate is verified against; empty: the host's.
        package var serverName = ""
        /// `http://host:15672`
        package var management: String
        /// Hosts in `management` that are called under another name or address.
        package var managementNames: [String: String] = [:]
        package var usesQuorumQueues = true
        /// Each connector gets a user and an exchange of its own.
        package var hasAccounts = false
        /// Bundles that RabbitMQ sends ahead for each connector.
        package var prefetch: UInt16 = 100
        /// What connectors are told.
        package var told: BrokerConnection
        package var version = "0.1"

        package init(address: BrokerAddress, tls: TLSConfiguration, management: String, told: BrokerConnection) {
            self.address = address
            self.tls = tls
            self.management = management
            self.told = told
        }
    }

    /// A connector whose queues there shall be.
    struct Want: Sendable {
        enum Phase: Sendable, Equatable {
            /// Can become: `opening`, when there is a connection.
            case idle
            /// Can become: `consuming`, `failed`, `idle`.
            case opening
            /// Can become: `failed`, `idle`.
            case consuming(BrokerLane)
            /// Can become: `opening`, when its time has come.
            case failed(BrokerTrouble, retryAt: Moment)
        }

        var phase = Phase.idle
        /// Queues that are there with other arguments than ours: they are used as they are.
        var foreign: Set<String> = []
        var backoff = Backoff(first: .seconds(1), most: .seconds(30))
        var waiting: [Alarm] = []
    }

    struct State: Sendable {
        var wants: [ConnectorID: Want] = [:]
        var link: BrokerLink?
        /// Why there is no link.
        var trouble = BrokerTrouble(.unreachable, "Weir is not connected with RabbitMQ yet.")
        /// What of it was logged last.
        var said: BrokerTrouble?
        var hasDeliveryLimit = false
        var isStopping = false
        var connections: UInt64 = 0
        /// The last look at the sizes that failed; said once.
        var unmeasured: BrokerTrouble?
        /// While it runs.
        var management: BrokerManagement?
        /// Something has changed, so that the sizes are worth a look before their time.
        var isLookDue = false
    }

    let settings: Settings
    let connectors: Connectors
    let keys: any ConnectorKeys
    let world: World
    let group: any EventLoopGroup
    let inbox: BrokerInbox
    let spools: BrokerSpools
    let state = Mutex(State())
    let measuring = Alarm()
    let stopping = Alarm()

    /// How long a registration waits for its queues: a quorum queue that finds its leader anew after a crash of
    /// RabbitMQ has taken more than 15 s. Clients wait 300 s for an answer.
    private static let patience = Duration.seconds(60)

    /// Before `Connectors.run`. Until it is connected, all connectors from outside count as full.
    package init(
        _ connectors: Connectors, keys: any ConnectorKeys, settings: Settings, eventLoops: any EventLoopGroup
    ) {
        self.settings = settings
        self.keys = keys
        self.connectors = connectors
        group = eventLoops
        world = connectors.world
        var inboxSettings = BrokerInbox.Settings()
        inboxSettings.inlineMost = UInt64(connectors.settings.spoolFrom)
        inboxSettings.remembered = max(inboxSettings.remembered, 2 * Int(settings.prefetch))
        inbox = BrokerInbox(inboxSettings)
        spools = BrokerSpools(
            root: connectors.queues.root, files: world.files, lane: world.blocking.lane("broker"))
        let known = connectors.book.with { state in
            state.registry.entries.values.filter { $0.record.registration.origin == "opencti" }.map(\.record.id)
        }
        for id in known { want(id) }
        connectors.workers.use(self)
    }

    // MARK: What connectors are told

    package func connection(for id: ConnectorID) async throws(ConnectorFailure) -> BrokerConnection {
        // Not before its queues are there: RabbitMQ acknowledges what it cannot route, and drops it.
        let alarm = Alarm()
        want(id)
        openLane(id)
        let deadline = world.time.now + Self.patience
        while world.time.now < deadline, !Task.isCancelled {
            want(id, alarm)
            let (phase, trouble) = state.withLock { ($0.wants[id]?.phase, $0.link == nil ? $0.trouble : nil) }
            if case .consuming = phase { return try await told(id) }
            if case .failed(let trouble, _) = phase { throw noQueues(id, trouble) }
            if let trouble, trouble.needsPerson { throw noQueues(id, trouble) }
            await alarm.wait(until: deadline, world.time)
        }
        let trouble = state.withLock { $0.link == nil ? $0.trouble : BrokerTrouble(.unreachable, "It did not answer.") }
        throw noQueues(id, trouble)
    }

    private func noQueues(_ id: ConnectorID, _ trouble: BrokerTrouble) -> ConnectorFailure {
        refusal(
            id, "The queues of connector \(id) cannot be made in RabbitMQ, so what it publishes would be lost.", trouble
        )
    }

    func refusal(_ id: ConnectorID, _ what: String, _ trouble: BrokerTrouble) -> ConnectorFailure {
        world.log.warning(
            "a connector cannot register, because what it needs cannot be made in RabbitMQ",
            metadata: [
                "connector": "\(id)", "error.kind": "\(trouble.code.rawValue)", "error": "\(trouble.sentence)",
            ])
        return ConnectorFailure(
            .storage, "\(what) \(trouble.sentence) Start the connector again when that is mended.")
    }

    // MARK: Removal

    package func mayRemove(_ id: ConnectorID) async throws(ConnectorFailure) {
        let waiting: Int
        do throws(BrokerTrouble) {
            waiting = try await count(id).messages + inbox.unacknowledged(id).messages
        } catch {
            throw ConnectorFailure(
                .storage, "Nobody knows whether bundles of this connector wait in RabbitMQ. \(error.sentence)")
        }
        if waiting > 0 {
            throw ConnectorFailure(
                .invalid, "\(waiting) bundles of this connector wait in RabbitMQ; remove it when its queue is empty.")
        }
    }

    package func revoke(_ id: ConnectorID) async throws(ConnectorFailure) {
        let (link, want) = state.withLock { ($0.link, $0.wants.removeValue(forKey: id)) }
        if case .consuming(let lane) = want?.phase { link?.execute { $0.close(lane) } }
        // One after the other whatever becomes of the first: this is not asked a second time.
        let account = await removeAccount(id)
        do throws(BrokerTrouble) {
            _ = try await ask(id, BrokerTopology.removing(id))
        } catch {
            throw ConnectorFailure(
                .storage, "The connector was removed, but its queues in RabbitMQ were not. \(error.sentence)")
        }
        inbox.remove(id)
        if let account { throw account }
    }

    // MARK: Running

    /// Keeps the connection, the lanes and the sizes, until `stop`, or until the task is cancelled.
    package func run() async {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: settings.tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.dnsOverride = settings.managementNames
        let http = HTTPClient(eventLoopGroup: group, configuration: configuration)
        let management = BrokerManagement(
            http: http, address: settings.management, vhost: settings.address.vhost, user: settings.address.user,
            password: settings.address.password)
        let known = state.withLock { state in
            state.management = management
            return state.wants.keys.sorted()
        }
        for id in known { _ = try? await spools[id].removeOrphans(keeping: []) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepConnected() }
            group.addTask { await self.keepMeasured() }
            await group.next()
            group.cancelAll()
        }
        state.withLock { $0.management = nil }
        try? await http.shutdown()
    }

    /// Ends the connection. After the workers have ended, so that what they settled can be acknowledged.
    package func stop() {
        let link = state.withLock { state in
            state.isStopping = true
            return state.link
        }
        link?.execute { $0.stop() }
        stopping.poke()
    }

    func acknowledge(_ deliveries: [BrokerDelivery]) {
        let link = state.withLock { $0.link }
        link?.execute { $0.acknowledge(deliveries) }
    }
}

extension RabbitBroker: WorkInlet {
    func run(_ turn: WorkTurn) async -> WorkTurn.Outcome {
        let bundles = inbox.take(turn.connector, most: connectors.settings.turnBytes)
        if bundles.isEmpty { return WorkTurn.Outcome(cost: 0, hasMore: false) }
        let cost = bundles.reduce(0) { $0 + Int(clamping: $1.delivery.byteCount) }
        do throws(WorkTurn.Stopped) {
            try await BrokerTurn(
                turn: turn, inbox: inbox, spool: spools[turn.connector], acknowledge: { self.acknowledge($0) }
            ).run(bundles)
        } catch {
            // Weir stops: they are not acknowledged, so they come again.
            return WorkTurn.Outcome(cost: cost, hasMore: false)
        }
        return WorkTurn.Outcome(cost: cost, hasMore: !inbox.isEmpty(turn.connector))
    }
}
