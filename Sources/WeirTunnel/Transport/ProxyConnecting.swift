internal import NIOCore

/// Asks an HTTP proxy for a way to the hub (`CONNECT`, RFC 9110 section 9.3.6). Nothing behind it hears that the
/// channel is active before the proxy has opened the way.
final class ProxyConnecting: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let target: String
    private let authorization: String?
    /// Told once, when the proxy refuses.
    private let refused: (TunnelFailure) -> Void
    private var received = ByteBuffer()
    private var isOpen = false

    init(target: String, authorization: String?, refused: @escaping (TunnelFailure) -> Void) {
        self.target = target
        self.authorization = authorization
        self.refused = refused
    }

    func channelActive(context: ChannelHandlerContext) {
        var request = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let authorization { request += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request + "\r\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOpen else { return context.fireChannelRead(data) }
        received.writeImmutableBuffer(unwrapInboundIn(data))
        switch AnswerHead.read(&received) {
        case .partial: break
        case .mistake: fail(TunnelFailure("proxy", "The proxy's answer is no HTTP."), context)
        case .whole(let head) where (200..<300).contains(head.status):
            isOpen = true
            let rest = received
            received = ByteBuffer()
            context.fireChannelActive()
            if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        case .whole(let head) where head.status == 407:
            fail(
                TunnelFailure(
                    "proxy_auth",
                    authorization == nil
                        ? "The proxy wants credentials (407)." : "The proxy does not take these credentials (407).",
                    help: "It asks for: \(head.headers["proxy-authenticate"] ?? "nothing that it names")."), context)
        case .whole(let head):
            fail(
                TunnelFailure("proxy", "The proxy refuses the way to \(target): \(head.status) \(head.reason)."),
                context)
        }
    }

    typealias InboundOut = ByteBuffer

    private func fail(_ failure: TunnelFailure, _ context: ChannelHandlerContext) {
        refused(failure)
        context.close(promise: nil)
    }
}
