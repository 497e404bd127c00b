internal import Logging
package import NIOCore
internal import NIOPosix
internal import NIOSSL
import Synchronization
package import WeirWorld

/// Where agents come in: TLS 1.3 with yamux straight on it or in a WebSocket, by what the agent asks for.
///
/// A connection has `handshakeMost` to become a link, whatever it sends and however slowly; only `pendingMost` may be
/// on their way there at the same time.
package final class HubDoor: Sendable {
    package struct Settings: Sendable {
        package var host = "0.0.0.0"
        package var port = 8_765
        /// Where the WebSocket is.
        package var path = "/tunnel"
        /// TLS is brought by a proxy in front: nobody can show a certificate here.
        package var isPlain = false
        /// PEM; both or none. Without, the hub's own authority issues one.
        package var certificateFile: String?
        package var keyFile: String?
        /// PEM, authorities whose agents are taken without enrolling.
        package var clientAuthorityFile: String?
        /// From the connection to the first byte of yamux; 10 s.
        package var handshakeMost = Duration.seconds(10)
        /// Connections that are not links yet; 1,024. More are closed at once.
        package var pendingMost = 1_024

        package init() {}
    }

    package let settings: Settings
    let hub: Hub
    private let world: World
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    private struct State {
        var channel: (any Channel)?
        var context: NIOSSLContext?
        var pending = 0
    }

    package init(_ settings: Settings, hub: Hub, eventLoops: any EventLoopGroup, world: World) {
        self.settings = settings
        self.hub = hub
        group = eventLoops
        self.world = world
    }

    package var port: Int? { state.withLock { $0.channel?.localAddress?.port } }
    /// Connections that are not links yet.
    package var pending: Int { state.withLock { $0.pending } }

    /// Listens for agents. Call `run` then.
    package func open() async throws(TunnelFailure) {
        if !settings.isPlain { try await renew() }
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelInitializer { [settings] channel in
                    channel.eventLoop.makeCompletedFuture { LoopbackPath.prepare(channel, to: settings.host) }
                }
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.recvAllocator, value: ReadSize())
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try self.take(channel) }
                }
                .bind(host: settings.host, port: settings.port).get()
            state.withLock { $0.channel = channel }
        } catch {
            throw TunnelFailure("listen", "Agents cannot come in at \(settings.host):\(settings.port): \(error).")
        }
    }

    /// Until the task is cancelled. Links that stand go on: the hub drains them.
    package func run() async {
        while !Task.isCancelled {
            let wait = settings.isPlain || settings.certificateFile != nil ? Duration.seconds(60) : renewal
            guard (try? await world.time.sleep(for: wait)) != nil else { break }
            do throws(TunnelFailure) {
                if !settings.isPlain { try await renew() }
            } catch {
                world.log.error("The hub's certificate could not be renewed.", metadata: ["detail": "\(error)"])
            }
        }
        state.withLock { $0.channel }?.close(promise: nil)
    }

    private var renewal: Duration { (hub.trust?.settings.hubLife ?? .seconds(86_400)) * 2 / 3 }

    /// Reads the files anew, or issues the next certificate.
    private func renew() async throws(TunnelFailure) {
        let lane = world.blocking.lane("tunnel-tls")
        defer { lane.close() }
        let settings = settings
        let (trust, now) = (hub.trust, world.time.wall)
        do {
            let context = try await lane.run { try HubTLS.context(settings, trust, at: now) }
            state.withLock { $0.context = context }
        } catch {
            throw error as? TunnelFailure ?? TunnelFailure("tls_setup", "\(error)")
        }
    }

    // MARK: A connection

    private func take(_ channel: any Channel) throws {
        let (mayStay, context) = state.withLock { ($0.pending < settings.pendingMost, $0.context) }
        guard mayStay else {
            hub.observer.doorClosed(.full)
            throw TunnelFailure("busy", "Too many agents are coming in at the same time.")
        }
        let pipeline = channel.pipeline.syncOperations
        if let context { try pipeline.addHandlers([LastWords(), NIOSSLServerHandler(context: context)]) }
        state.withLock { $0.pending += 1 }
        try pipeline.addHandler(
            DoorHandler(self, limit: .nanoseconds(settings.handshakeMost.nanoseconds)))
    }

    /// A connection has become a link, or has gone.
    func settled() { state.withLock { $0.pending -= 1 } }
}
