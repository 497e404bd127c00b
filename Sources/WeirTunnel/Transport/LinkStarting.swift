internal import Crypto
internal import Foundation
internal import NIOCore
internal import NIOTLS
internal import NIOWebSocket

/// The last step of an agent's dial: waits for TLS, then starts yamux straight on it, or asks for a WebSocket.
final class LinkStarting: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let address: HubAddress
    private let bearer: String?
    private let trouble: DialTrouble
    /// Adds the link's handler.
    private let ready: (any Channel) throws -> Void
    /// Told once.
    private var done: ((Result<Void, TunnelFailure>) -> Void)?
    private let key: String
    private var received = ByteBuffer()
    private var isUpgrading = false

    init(
        _ address: HubAddress, bearer: String?, trouble: DialTrouble, ready: @escaping (any Channel) throws -> Void,
        done: @escaping (Result<Void, TunnelFailure>) -> Void
    ) {
        self.address = address
        self.bearer = bearer
        self.trouble = trouble
        self.ready = ready
        self.done = done
        key = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    func channelActive(context: ChannelHandlerContext) {
        switch address.scheme {
        case .ws: upgrade(context)
        case .tcp: start(context, through: [])
        case .wss, .tls: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let chosen)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        switch (address.scheme, chosen) {
        case (_, TunnelProtocol.direct): start(context, through: [])
        case (.tls, _):
            finish(
                .failure(
                    TunnelFailure(
                        "not_a_hub", "\(address) speaks TLS, but is no hub.",
                        help: "Look at the port in --hub: agents come in at `tunnel.listen`.")), context)
        default: upgrade(context)
        }
    }

    private func upgrade(_ context: ChannelHandlerContext) {
        isUpgrading = true
        var request = """
            GET \(address.path) HTTP/1.1\r
            Host: \(address.authority)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: \(key)\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Protocol: \(TunnelProtocol.webSocket)\r

            """
        if let bearer { request += "Authorization: Bearer \(bearer)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request + "\r\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isUpgrading, done != nil else { return context.fireChannelRead(data) }
        received.writeImmutableBuffer(unwrapInboundIn(data))
        switch AnswerHead.read(&received) {
        case .partial: break
        case .mistake:
            finish(
                .failure(
                    TunnelFailure(
                        "not_a_hub", "\(address) does not speak HTTP.",
                        help: "Look at the port in --hub: agents come in at `tunnel.listen`.")), context)
        case .whole(let head):
            guard head.status == 101, head.headers["sec-websocket-accept"] == accept else {
                return finish(.failure(refusal(head)), context)
            }
            start(
                context,
                through: [
                    WebSocketFrameEncoder(),
                    ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: TunnelProtocol.webSocketFrameMost)),
                    WebSocketBytes(isClient: true),
                ])
        }
    }

    private var accept: String {
        Data(Insecure.SHA1.hash(data: Data((key + TunnelProtocol.webSocketMagic).utf8))).base64EncodedString()
    }

    private func refusal(_ head: AnswerHead) -> TunnelFailure {
        switch head.status {
        case 401, 403:
            TunnelFailure(
                "refused", "The hub does not take this agent's token (\(head.status)).",
                help: "Its log says why; look at the file of --bearer-file and at `tunnel.jwt` of the hub.")
        case 429, 502, 503, 504:
            TunnelFailure(
                "hub_busy", "\(address) has no room now (\(head.status) \(head.reason)).",
                help: "The agent tries again by itself; a proxy before the hub says so while the hub is down.")
        default:
            TunnelFailure(
                "not_a_hub", "\(address) has no tunnel there: \(head.status) \(head.reason).",
                help: "Look at the path in --hub: it is `tunnel.path` of the hub, `/tunnel` unless set.")
        }
    }

    private func start(_ context: ChannelHandlerContext, through handlers: [any ChannelHandler]) {
        do {
            let pipeline = context.pipeline.syncOperations
            // From here the link asks for what it reads.
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            try pipeline.addHandlers(handlers)
            try ready(context.channel)
            let rest = received
            received = ByteBuffer()
            finish(.success(()), context)
            if rest.readableBytes > 0 {
                context.fireChannelRead(wrapInboundOut(rest))
                context.fireChannelReadComplete()
            }
            pipeline.removeHandler(self, promise: nil)
        } catch {
            finish(.failure(TunnelFailure("link", "The link could not be made: \(error).")), context)
        }
    }

    private func finish(_ result: Result<Void, TunnelFailure>, _ context: ChannelHandlerContext) {
        guard let done else { return }
        self.done = nil
        done(result)
        if case .failure = result { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard done != nil else { return context.fireErrorCaught(error) }
        finish(.failure(trouble.failure(error)), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(trouble.failure(ChannelError.eof)), context)
        context.fireChannelInactive()
    }
}
