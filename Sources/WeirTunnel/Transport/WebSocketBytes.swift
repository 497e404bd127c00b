internal import NIOCore
internal import NIOWebSocket

/// A WebSocket as a stream of bytes: each write is a binary message, and messages are strung together as they come.
/// Where a message begins and ends means nothing, so proxies may cut and join them.
final class WebSocketBytes: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    /// Clients mask what they send (RFC 6455 section 5.3).
    private let masks: Bool
    private var hasClosed = false

    init(isClient: Bool) { masks = isClient }

    private var key: WebSocketMaskingKey? { masks ? .random() : nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard masks || frame.maskKey != nil else { return close(context, .protocolError) }
        switch frame.opcode {
        case .binary, .continuation:
            let bytes = frame.unmaskedData
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
        case .ping:
            let answer = WebSocketFrame(fin: true, opcode: .pong, maskKey: key, data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        case .pong: break
        case .connectionClose: close(context, .normalClosure)
        default: close(context, .unacceptableData)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = WebSocketFrame(fin: true, opcode: .binary, maskKey: key, data: unwrapOutboundIn(data))
        context.write(wrapOutboundOut(frame), promise: promise)
    }

    private func close(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) {
        guard !hasClosed else { return }
        hasClosed = true
        var bytes = ByteBuffer()
        bytes.write(webSocketErrorCode: code)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: key, data: bytes)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        context.close(promise: nil)
    }
}
