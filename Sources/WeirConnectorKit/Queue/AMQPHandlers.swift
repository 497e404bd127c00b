internal import NIOCore
internal import WeirWires

/// Bytes to frames. Heartbeats are dropped here: that they came is all they say.
struct AMQPFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = AMQPFrame

    let frameMost: Int

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let frame = try AMQPFrame.read(from: &buffer, sizeMost: frameMost) else { return .needMoreData }
        if frame != .heartbeat { context.fireChannelRead(wrapInboundOut(frame)) }
        return .continue
    }
}

/// Sends heartbeats, and ends a connection from which nothing has come for too long.
final class AMQPLifeHandler: ChannelDuplexHandler {
    typealias InboundIn = AMQPFrame
    typealias InboundOut = AMQPFrame
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let interval: TimeAmount
    private var beat: RepeatedTask?
    /// Before the connection is open nobody expects heartbeats.
    private var isOpen = false

    init(interval: TimeAmount) { self.interval = interval }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        beat = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (handler, context) = bound.value
            guard handler.isOpen else { return }
            var bytes = ByteBuffer()
            AMQPFrame.heartbeat.write(to: &bytes)
            context.writeAndFlush(handler.wrapOutboundOut(bytes), promise: nil)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .method(0, .connectionOpenOK) = unwrapInboundIn(data) { isOpen = true }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        beat?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }
}
