internal import NIOCore

/// Lets what TLS says last arrive. A connection that is closed while bytes of the other side lie unread ends with RST,
/// and RST takes the alert with it that says what was wrong; so its end is said, what still comes is dropped, and only
/// then is it closed. Stands first, next to the socket.
final class LastWords: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    /// For the other side to read what was said and to close.
    private static let patience = TimeAmount.seconds(1)

    private var isLeaving = false
    private var isOver = false
    private var timer: Scheduled<Void>?

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all, !isOver, context.channel.isActive else {
            return context.close(mode: mode, promise: promise)
        }
        context.channel.closeFuture.cascade(to: promise)
        // TLS and the door each close what has failed.
        guard !isLeaving else { return }
        isLeaving = true
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            self.isOver = true
            // From here: TLS is closing already, and would wait for the other side.
            context.close(promise: nil)
        }
        context.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isLeaving { context.fireChannelRead(data) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }
}
