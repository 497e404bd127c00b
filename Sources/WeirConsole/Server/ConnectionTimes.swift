import NIOCore
import NIOHTTP1

/// Closes a connection that takes its time: one that asks nothing, one whose request has a head but no end (a body
/// sent a byte a minute), and one that goes on sending what was answered long ago.
///
/// A push at `/graphql` is the exception: its body is not read while its connector's gate holds it, and may be very
/// long. What counts is the pause between two pieces while Weir waits for one.
final class ConnectionTimes: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    struct Limits: Sendable {
        /// Until a request's head, from the connection's begin or the end of the one before.
        var idle: TimeAmount
        /// The same after a request of a connector.
        var idleOfDoor: TimeAmount
        /// From a request's head to its end; from its answer to its end.
        var request: TimeAmount
        /// Until the next piece of a push, while one is waited for.
        var piece: TimeAmount
        var pushPath: String
    }

    private let limits: Limits
    private var deadline = LazyDeadline()
    private var timer: Scheduled<Void>?
    private var isPush = false
    /// Between a request's head and its end.
    private var isWithinRequest = false
    private var answersDue = 0

    init(_ limits: Limits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { close(context, in: limits.idle) }
    }

    func channelActive(context: ChannelHandlerContext) {
        close(context, in: limits.idle)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answersDue += 1
            isWithinRequest = true
            isPush = DoorConnection.isFor(limits.pushPath, head)
            close(context, in: isPush ? limits.piece : limits.request)
        case .body: break
        case .end:
            isWithinRequest = false
            deadline.clear()
            if answersDue == 0 { close(context, in: idle) }
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is RepeatedRequests.Answered else { return context.fireUserInboundEventTriggered(event) }
        close(context, in: idle)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Whether the next piece is waited for is told by the next `read`.
        if isPieceDue { deadline.clear() }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if isPieceDue { close(context, in: limits.piece) }
        context.read()
    }

    private var idle: TimeAmount { isPush ? limits.idleOfDoor : limits.idle }
    private var isPieceDue: Bool { isPush && isWithinRequest && answersDue > 0 }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            answersDue -= 1
            if answersDue == 0 { close(context, in: isWithinRequest ? limits.request : idle) }
        }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func end() {
        deadline.clear()
        timer?.cancel()
        timer = nil
    }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        guard let next = deadline.move(to: context.eventLoop.now + time) else { return }
        timer?.cancel()
        set(context, for: next)
    }

    private func set(_ context: ChannelHandlerContext, for next: NIODeadline) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { self.look(context) }
    }

    private func look(_ context: ChannelHandlerContext) {
        timer = nil
        switch deadline.look(at: context.eventLoop.now) {
        case .passed: context.close(promise: nil)
        case .again(let next): set(context, for: next)
        case .none: break
        }
    }
}
