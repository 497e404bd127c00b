import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP receiver on loopback that answers by a script: request n gets answer n, the last answer goes on for ever.
final class HTTPReceiver: Sendable {
    enum Answer: Sendable {
        case status(Int, headers: [(String, String)] = [], body: String = "")
        /// These bytes, whatever they are, then the end.
        case garbage(String)
        /// A head, and then nothing more.
        case stalls
        /// No answer at all.
        case silent
        /// The connection ends where the answer should be.
        case closes
        /// A good head and a body of so many bytes.
        case long(Int)
    }

    struct Request: Sendable {
        var method: String
        var target: String
        var headers: [(String, String)]
        var body: ByteBuffer

        func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var open: [any Channel] = []
    }

    private let script: [Answer]
    private let answer: (@Sendable (Request) -> Answer)?
    private let state = Mutex(State())
    private let server = Mutex<(any Channel)?>(nil)
    private let name: String

    private init(_ script: [Answer], answer: (@Sendable (Request) -> Answer)?, name: String) {
        self.script = script
        self.answer = answer
        self.name = name
    }

    static func start(
        _ script: Answer..., port: Int = 0, tls: NIOSSLContext? = nil, name: String = "127.0.0.1",
        answer: (@Sendable (Request) -> Answer)? = nil
    ) async throws -> HTTPReceiver {
        let receiver = HTTPReceiver(script, answer: answer, name: name)
        let channel = try await ServerBootstrap(group: Bench.eventLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    if let tls { try operations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try operations.addHandler(HTTPResponseEncoder(), name: "encoder")
                    try operations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try operations.addHandler(HTTPReceiverHandler(receiver))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        receiver.server.withLock { $0 = channel }
        return receiver
    }

    var port: Int { server.withLock { $0?.localAddress?.port ?? 0 } }
    var url: String { "http://\(name):\(port)/in" }
    var secureURL: String { "https://\(name):\(port)/in" }
    var requests: [Request] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }

    func stop() async {
        for channel in state.withLock({ $0.open }) { try? await channel.close().get() }
        let channel = server.withLock { $0 }
        try? await channel?.close().get()
    }

    fileprivate func connected(_ channel: any Channel) {
        state.withLock { state in
            state.connections += 1
            state.open.append(channel)
        }
    }

    fileprivate func took(_ request: Request) -> Answer {
        let index = state.withLock { state in
            state.requests.append(request)
            return state.requests.count - 1
        }
        if let answer { return answer(request) }
        return script.isEmpty ? .status(200) : script[min(index, script.count - 1)]
    }
}

private final class HTTPReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let receiver: HTTPReceiver
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ receiver: HTTPReceiver) { self.receiver = receiver }

    func channelActive(context: ChannelHandlerContext) { receiver.connected(context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
        case .body(let part): body.writeImmutableBuffer(part)
        case .end:
            guard let head else { return }
            let request = HTTPReceiver.Request(
                method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) },
                body: body)
            answer(receiver.took(request), context)
        }
    }

    private func answer(_ answer: HTTPReceiver.Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .status(let code, let headers, let text):
            var all = HTTPHeaders(headers)
            all.add(name: "Content-Length", value: "\(text.utf8.count)")
            write(code, all, context)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .long(let count):
            write(200, ["Content-Length": "\(count)"], context)
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: 0x78, count: count)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .stalls:
            write(200, ["Content-Length": "10"], context)
            context.flush()
        case .garbage(let text):
            // Past the encoder: written from its place in the pipeline on.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.pipeline.syncOperations.removeHandler(name: "encoder").whenComplete { _ in
                let context = bound.value
                let channel = context.channel
                channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
            }
        case .silent: break
        case .closes: context.close(promise: nil)
        }
    }

    private func write(_ code: Int, _ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
