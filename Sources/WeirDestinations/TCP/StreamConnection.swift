import NIOCore
import NIOPosix
import NIOSSL
import WeirCalls
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

/// One TCP or TLS connection that is only written to: what the peer says is read and dropped, and its end is noticed at
/// once, also while nothing is written.
final class StreamConnection: Sendable {
    private let channel: any Channel
    private let watch: StreamWatch.Shared

    private init(channel: any Channel, watch: StreamWatch.Shared) {
        self.channel = channel
        self.watch = watch
    }

    /// Why it ended; `nil` while it stands.
    var end: Reason? { watch.end }

    /// Connects and, with TLS, shakes hands and verifies.
    static func connect(_ target: StreamTarget, world: World, eventLoops: any EventLoopGroup)
        async throws(DeliveryFailure) -> StreamConnection
    {
        let tls = try await context(target, world: world)
        let loop = eventLoops.next()
        let watch = StreamWatch.Shared(peer: target.address.description)
        let ready = loop.makePromise(of: Void.self)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(target.connectTimeout.nanoseconds))
            .channelOption(.socketOption(.so_keepalive), value: target.keepsAlive ? 1 : 0)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Half a megabyte a read at most: what the peer says is dropped anyway.
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: 65_536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    if let tls {
                        try operations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: target.serverName))
                    }
                    try operations.addHandler(
                        StreamWatch(shared: watch, ready: ready, hasTLS: tls != nil, target: target))
                }
            }
        let connecting = bootstrap.connect(host: target.resolved ?? target.address.host, port: target.address.port)
        // Whoever fails first settles both: the watch never runs when there is no connection.
        connecting.whenFailure { ready.fail($0) }
        do {
            return try await withTaskCancellationHandler {
                let channel = try await connecting.get()
                do {
                    try await ready.futureResult.get()
                    try Task.checkCancellation()
                } catch {
                    channel.close(promise: nil)
                    throw error
                }
                return StreamConnection(channel: channel, watch: watch)
            } onCancel: {
                connecting.whenSuccess { $0.close(promise: nil) }
            }
        } catch {
            throw StreamFailure.connecting(error, to: target.address.description, end: watch.end)
        }
    }

    private static func context(_ target: StreamTarget, world: World) async throws(DeliveryFailure) -> NIOSSLContext? {
        guard let settings = target.tls else { return nil }
        let lane = world.blocking.lane("tls")
        defer { lane.close() }
        do {
            return try await lane.run { try NIOSSLContext(configuration: settings.configuration()) }
        } catch {
            throw StreamFailure.tlsFiles(error)
        }
    }

    /// Hands the bytes to the operating system; returns when it has taken the last of them.
    ///
    /// When the task is cancelled the connection is given up: nobody knows how much of a line the peer has.
    func write(_ pieces: [ByteBuffer]) async throws(DeliveryFailure) {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        do {
            try await withTaskCancellationHandler {
                // One trip to the event loop and one flush for all of them.
                channel.eventLoop.execute { [channel] in
                    for piece in pieces.dropLast() { channel.write(piece, promise: nil) }
                    channel.writeAndFlush(pieces.last ?? ByteBuffer(), promise: promise)
                }
                try await promise.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch {
            if Task.isCancelled { throw .cancelled }
            throw .unreachable(watch.end ?? StreamFailure.broken(error, peer: watch.peer))
        }
    }

    /// Lets the last bytes out, then closes.
    func close() async {
        // Closing throws away what is not flushed (swift-nio): an empty write is the barrier behind all others.
        _ = try? await channel.writeAndFlush(ByteBuffer()).get()
        _ = try? await channel.close().get()
    }
}
