internal import Logging
package import NIOCore
internal import NIOPosix
import Synchronization
internal import WeirWires
package import WeirWorld

/// Where connectors publish in their default mode, in place of a RabbitMQ: AMQP 0-9-1, publish-only. Where it
/// listens and whether by TLS is decided by whoever configures it.
package final class AMQPIngress: BundleBroker {
    package struct Settings: Sendable {
        package var host = "127.0.0.1"
        /// 0 takes a free one.
        package var port = 5672
        /// What connectors are told, where they reach Weir under another name.
        package var advertisedHost: String?
        package var advertisedPort: Int?
        /// Puts TLS in front of a connection, on its event loop; `nil` speaks plainly.
        package var secure: (@Sendable (any Channel) throws -> Void)?
        package var connectionsMost = 5_000
        package var connectionsPerConnectorMost = 500
        /// Bytes in memory of all messages that the platform has not taken yet.
        package var heldMost = 64 * 1_024 * 1_024
        /// Longest message; a bundle grows by a third in base64.
        package var messageMost = 400_000_000
        /// From the first byte to the open connection, as RabbitMQ has it; a busy machine may need longer.
        package var handshakeMost = Duration.seconds(10)
        package var version = "0.1"

        package init() {}
    }

    private let platform: any ConnectorPlatform
    private let keys: any ConnectorKeys
    private let world: World
    private let settings: Settings
    private let group: any EventLoopGroup
    private let sessions: AMQPSessions
    private let channel = Mutex<(any Channel)?>(nil)

    package init(
        platform: any ConnectorPlatform, keys: any ConnectorKeys, world: World, settings: Settings = Settings(),
        eventLoops: any EventLoopGroup
    ) {
        self.platform = platform
        self.keys = keys
        self.world = world
        self.settings = settings
        group = eventLoops
        sessions = AMQPSessions(
            most: settings.connectionsMost, perConnectorMost: settings.connectionsPerConnectorMost,
            heldMost: settings.heldMost)
    }

    package var port: Int? { channel.withLock { $0?.localAddress?.port } }
    package var counts: AMQPCounts { sessions.counts }

    /// Listens.
    package func open() async throws(ConnectorFailure) {
        var session = AMQPSession.Settings()
        session.version = settings.version
        session.bodyMost = UInt64(clamping: settings.messageMost)
        session.handshakeMost = settings.handshakeMost
        let connections = AMQPConnections(
            session: session, platform: platform, keys: keys, sessions: sessions, log: world.log,
            secure: settings.secure)
        do {
            let bound = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                // Fewer in one go than the reserve of descriptors, which is looked at before each.
                .serverChannelOption(.maxMessagesPerRead, value: 4)
                .serverChannelInitializer { [sessions, log = world.log] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            AcceptRest(hasRoom: { sessions.hasRoom }) { AMQPIngress.tell($0, log) })
                    }
                }
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try connections.connect(channel) }
                }
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: settings.host, port: settings.port).get()
            channel.withLock { $0 = bound }
        } catch {
            throw ConnectorFailure(
                .invalid,
                "Weir cannot listen for AMQP at \(settings.host):\(settings.port): \(error). Choose another "
                    + "address for the connectors' ingress, or stop the program that has it.")
        }
    }

    /// Says goodbye to all, and waits until they have gone, ten seconds at most.
    package func stop() async {
        let open = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await open?.close().get()
        sessions.stopAll("Weir is stopping; connect again later")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [sessions] in await sessions.untilEmpty() }
            group.addTask { [sessions, time = world.time] in
                if (try? await time.sleep(for: .seconds(10))) != nil { sessions.closeAll() }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private static func tell(_ news: AcceptRest.News, _ log: Logger) {
        switch news {
        case .refused(let code, isFirst: true):
            log.warning(
                "connectors that publish wait to be accepted: opencti.amqp.max_connections or descriptors are used up",
                metadata: ["error.code": "\(code)"])
        case .refused: break
        case .accepting: log.notice("connectors that publish are accepted again")
        }
    }
}

extension AMQPIngress {
    package func connection(for id: ConnectorID) async throws(ConnectorFailure) -> BrokerConnection {
        let key = try await keys.key(of: id, orKeep: ConnectorKey(for: id, world: world))
        return BrokerConnection(
            host: settings.advertisedHost ?? settings.host,
            port: settings.advertisedPort ?? port ?? settings.port,
            usesTLS: settings.secure != nil, user: id, password: key.secret)
    }

    package func revoke(_ id: ConnectorID) async throws(ConnectorFailure) {
        try await keys.revoke(id)
        sessions.stop(id, "the key of this connector was revoked; register again")
    }
}

/// Builds the pipeline of a new connection.
struct AMQPConnections: Sendable {
    let session: AMQPSession.Settings
    let platform: any ConnectorPlatform
    let keys: any ConnectorKeys
    let sessions: AMQPSessions
    let log: Logger
    var secure: (@Sendable (any Channel) throws -> Void)?

    func connect(_ channel: any Channel) throws {
        try secure?(channel)
        try channel.pipeline.syncOperations.addHandler(
            AMQPHandler(
                settings: session, platform: platform, keys: keys, sessions: sessions, log: log,
                now: channel.eventLoop.now))
    }
}
