import NIOCore
import NIOPosix
import Synchronization

/// An HTTP proxy that knows `CONNECT`, and one user: `user:pass`.
final class ConnectProxy: Sendable {
    struct Counts: Sendable {
        var opened = 0
        var refused = 0
    }

    let channel: any Channel
    private let state: Tally
    var port: Int { channel.localAddress?.port ?? 0 }
    var counts: Counts { state.counts.withLock { $0 } }

    fileprivate final class Tally: Sendable {
        let counts = Mutex(Counts())
    }

    init() async throws {
        let state = Tally()
        self.state = state
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Near(state)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// The side of the one who asks.
    private final class Near: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let state: Tally
        var head = ""
        var far: (any Channel)?
        init(_ state: Tally) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            if let far { return far.writeAndFlush(bytes, promise: nil) }
            head += String(buffer: bytes)
            guard head.hasSuffix("\r\n\r\n") else { return }
            let isKnown = head.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n")
            let end = head.split(separator: " ")[1].split(separator: ":")
            guard isKnown, head.hasPrefix("CONNECT "), let port = Int(end[1]) else {
                state.counts.withLock { $0.refused += 1 }
                let answer = "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
                return context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            }
            let near = context.channel
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Far(near))
                    }
                }
                .connect(host: String(end[0]), port: port)
                .whenSuccess { channel in
                    bound.value.state.counts.withLock { $0.opened += 1 }
                    bound.value.far = channel
                    near.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 Here you are\r\n\r\n"), promise: nil)
                }
        }

        func channelInactive(context: ChannelHandlerContext) { far?.close(promise: nil) }
    }

    private final class Far: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let near: any Channel
        init(_ near: any Channel) { self.near = near }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            near.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { near.close(promise: nil) }
    }
}
