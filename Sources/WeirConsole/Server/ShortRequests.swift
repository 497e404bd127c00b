import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Answers short requests of connectors on the connection's own event loop: a ping is a look into memory, and each
/// change of threads on the way would cost more than all of the rest.
///
/// The answer is begun at once and in place. One that needs to wait (a push that its gate holds, anything that is
/// written down first) goes on elsewhere, and the connection reads nothing more until it is there. Whatever else is
/// asked goes to the router, which is put behind this handler with the first such request: connectors never need it.
final class ShortRequests: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The router's end of a connection.
    typealias Router = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    private let door: ShortDoor?
    private let activity: RequestActivity
    private let kept: KeptRequest?
    private let connect: (any Channel) throws -> Router
    /// Fulfilled with the first request for the router; with `nil` when there was none until the end.
    private let router: EventLoopPromise<Router?>
    private var hasRouter = false
    private var way: RequestWay
    /// Of requests behind the one that is being answered: what one read brought.
    private var waiting: [HTTPServerRequestPart] = []
    private var isReadDue = false
    /// Nothing follows the answer that is being made.
    private var isLast = false
    private var context: ChannelHandlerContext?
    private var answer: Task<Void, Never>?

    /// - Parameters:
    ///   - door: `nil` where no connectors are let in.
    ///   - kept: what this connection asked last; `nil` where no connectors are let in.
    ///   - connect: puts the router behind this handler.
    init(
        _ door: ShortDoor?, _ kept: KeptRequest?, _ activity: RequestActivity, router: EventLoopPromise<Router?>,
        connect: @escaping (any Channel) throws -> Router
    ) {
        self.door = door
        self.kept = kept
        self.activity = activity
        self.router = router
        self.connect = connect
        way = RequestWay { head in door.flatMap { $0.length(of: head) } }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        waiting = []
        if !hasRouter { router.succeed(nil) }
        hasRouter = true
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if way.isAnswering { waiting.append(part) } else { take(part, context) }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch way.received(part) {
        case .keep: break
        case .answer(let head, let body): begin(head, body, context)
        case .pass:
            guard connectRouter(context) else { return context.close(promise: nil) }
            if case .head = part { activity.asked() }
            context.fireChannelRead(wrapInboundOut(part))
        }
    }

    private func connectRouter(_ context: ChannelHandlerContext) -> Bool {
        if hasRouter { return true }
        guard let connected = try? connect(context.channel) else { return false }
        hasRouter = true
        kept?.lose()
        router.succeed(connected)
        return true
    }

    /// The task is kept until its answer is there. It is not cancelled when the client goes: what has come whole is
    /// taken.
    private func begin(_ head: HTTPRequestHead, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let door else { return }
        activity.asked()
        let length = body.readableBytes
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let begun = Task.immediate {
            let answer = await door.answer(head, body)
            if loop.inEventLoop {
                bound.value.end(answer, bodyLength: length)
            } else {
                loop.execute { bound.value.end(answer, bodyLength: length) }
            }
        }
        answer = way.isAnswering ? begun : nil
    }

    private func end(_ parts: ShortDoor.Parts, bodyLength: Int) {
        answer = nil
        way.answered()
        kept?.answered(parts, bodyLength: bodyLength)
        guard let context else { return }
        context.write(wrapOutboundOut(.head(parts.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(parts.body))), promise: nil)
        if isLast {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
            return
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        goOn(context)
    }

    /// With what came in the meantime.
    private func goOn(_ context: ChannelHandlerContext) {
        if !waiting.isEmpty {
            while !waiting.isEmpty, !way.isAnswering { take(waiting.removeFirst(), context) }
            context.fireChannelReadComplete()
        }
        if isReadDue, !way.isAnswering {
            isReadDue = false
            context.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if way.isAnswering { isReadDue = true } else { context.read() }
    }

    // MARK: The router's answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { way.passed() }
        context.write(data, promise: promise)
    }

    // MARK: Ends

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // The client sends nothing more, or Weir stops.
        case ChannelEvent.inputClosed where way.isHere && !way.isAnswering: context.close(promise: nil)
        case ChannelEvent.inputClosed, is ChannelShouldQuiesceEvent:
            if way.isHere {
                isLast = true
            } else if hasRouter {
                context.fireUserInboundEventTriggered(event)
            } else {
                context.close(promise: nil)
            }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if way.isAnswering {
            isLast = true
        } else if hasRouter, !way.isHere {
            context.fireErrorCaught(error)
        } else if error is HTTPParserError {
            refuse(context)
        } else {
            context.close(promise: nil)
        }
    }

    /// What came was no HTTP.
    private func refuse(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest, headers: ["content-length": "0", "connection": "close"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }
}
