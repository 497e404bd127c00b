internal import NIOCore
internal import NIOHTTP1

/// Stands before the codec: notes that bytes have come, because only here does it show that a head has begun, and
/// answers what is no request, because the codec writes answers to requests only.
final class HTTPByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Since the last request ended.
    var bytes = 0
    var onFirstByte: (() -> Void)?
    private var context: ChannelHandlerContext?
    /// After an answer of its own: what else comes is not looked at.
    private var isDeaf = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDeaf else { return }
        let isFirst = bytes == 0
        bytes += unwrapInboundIn(data).readableBytes
        if isFirst { onFirstByte?() }
        context.fireChannelRead(data)
    }

    func answer(_ answer: HTTPAnswer) {
        isDeaf = true
        var text = ByteBuffer(string: "HTTP/1.1 \(answer.status.code) \(answer.status.reasonPhrase)\r\n")
        for (name, value) in answer.fields { text.writeString("\(name): \(value)\r\n") }
        text.writeString("Connection: close\r\n\r\n")
        text.writeImmutableBuffer(answer.body)
        context?.writeAndFlush(wrapOutboundOut(text), promise: nil)
    }
}
