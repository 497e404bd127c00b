import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection that takes its time: one that asks nothing, and one whose request has a head but no end (a body
/// sent a byte a minute).
///
/// A push at `/graphql` is the exception: its body is not read while its connector's gate holds it, so what counts is
/// the pause between two pieces, and that may be as long as a push is held.
final class ConnectionTimes: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Limits: Sendable {
        /// Until a request's head, from the connection's begin or the answer before.
        var idle: TimeAmount
        /// From a request's head to its end.
        var request: TimeAmount
        /// Between two pieces of a push.
        var push: TimeAmount
        var pushPath: String
    }

    private let limits: Limits
    private var deadline: Scheduled<Void>?
    private var isPush = false
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
            isPush = head.path.map { $0 == limits.pushPath || $0.hasPrefix(limits.pushPath + "?") } ?? false
            close(context, in: isPush ? limits.push : limits.request)
        case .body:
            if isPush { close(context, in: limits.push) }
        case .end:
            deadline?.cancel()
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            answersDue -= 1
            if answersDue == 0, deadline == nil { close(context, in: limits.idle) }
        }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    private func close(_ context: ChannelHandlerContext, in time: TimeAmount) {
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }
}
