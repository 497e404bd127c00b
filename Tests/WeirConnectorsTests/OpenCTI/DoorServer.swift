import NIOCore
import NIOHTTP1
import NIOPosix

@testable import WeirConnectors

/// The door behind a plain HTTP server, for tests with real clients.
struct DoorServer {
    private let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }

    static func start(_ door: OpenCTIDoor) async throws -> DoorServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(door: door))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DoorServer(channel: channel)
    }

    func stop() async throws { try await channel.close().get() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let door: OpenCTIDoor
        private var feed: AsyncThrowingStream<ByteBuffer, any Error>.Continuation?

        init(door: OpenCTIDoor) { self.door = door }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): begin(head, context)
            case .body(let bytes): feed?.yield(bytes)
            case .end: feed?.finish()
            }
        }

        func channelInactive(context: ChannelHandlerContext) { feed?.finish(throwing: CancellationError()) }

        private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
            let (body, feed) = AsyncThrowingStream.makeStream(of: ByteBuffer.self, throwing: (any Error).self)
            self.feed = feed
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            Task { [door] in
                let answer = await door.answer(
                    method: head.method.rawValue, header: { head.headers[$0].first }, body: body)
                bound.eventLoop.execute {
                    let (handler, context) = bound.value
                    var headers = HTTPHeaders(answer.headers)
                    headers.add(name: "Content-Length", value: String(answer.body.readableBytes))
                    let head = HTTPResponseHead(
                        version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
                    context.write(handler.wrapOutboundOut(.head(head)), promise: nil)
                    context.write(handler.wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
                    context.writeAndFlush(handler.wrapOutboundOut(.end(nil)), promise: nil)
                }
            }
        }
    }
}
