import NIOCore
import NIOHTTP1

/// Gives a connection one of the door's places with its first request for it, and gives the place back.
///
/// While the door is crowded, an answer says `Connection: close`: a connector that pings every 40 s would else keep its
/// place in between. Unlike a timeout, that never hits a request that is on its way.
final class DoorConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let places: ConnectionPlaces
    private let path: String
    private var isInside = false
    private var isRefused = false
    private var isLast = false
    private var hasEnded = false
    private var isAnswered = false

    /// - Parameter path: `/graphql`.
    init(_ places: ConnectionPlaces, path: String) {
        self.places = places
        self.path = path
    }

    static func isFor(_ path: String, _ request: HTTPRequestHead) -> Bool {
        request.uri == path || request.uri.hasPrefix(path) && request.uri.dropFirst(path.count).first == "?"
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            hasEnded = false
            isAnswered = false
            if !isInside, DoorConnection.isFor(path, head) { isInside = places.enterDoor() }
            isRefused = !isInside && DoorConnection.isFor(path, head)
            if isRefused { return refuse(context) }
        case .body: break
        case .end: hasEnded = true
        }
        if isRefused { return }
        context.fireChannelRead(data)
        closeIfDone(context)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where isInside && places.isCrowded && head.status.code >= 200:
            isLast = true
            head.headers.replaceOrAdd(name: "connection", value: "close")
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end where isLast:
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            written.futureResult.whenComplete { _ in
                let (handler, context) = bound.value
                handler.isAnswered = true
                handler.closeIfDone(context)
            }
            context.write(data, promise: written)
        default: context.write(data, promise: promise)
        }
    }

    /// A client that is still sending would not see an answer that is followed by a reset.
    private func closeIfDone(_ context: ChannelHandlerContext) {
        if isLast, isAnswered, hasEnded { context.close(promise: nil) }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let text =
            #"{"errors":[{"message":"Weir has no room for another request of a connector: opencti.max_connections is "#
            + #"\#(places.doorMost), or its descriptors are used up. Start it again later.","#
            + #""name":"SERVICE_UNAVAILABLE","extensions":{"code":"SERVICE_UNAVAILABLE"}}],"data":null}"#
        let body = ByteBuffer(string: text)
        let head = HTTPResponseHead(
            version: .http1_1, status: .serviceUnavailable,
            headers: [
                "content-type": "application/json; charset=utf-8", "content-length": String(body.readableBytes),
                "connection": "close", "retry-after": "60",
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    private func leave() {
        if isInside { places.leaveDoor() }
        isInside = false
    }
}
