internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket
import Synchronization

/// What one connection's request for a WebSocket is worth: the path, the subprotocol, and the bearer token.
final class HubUpgrade: Sendable {
    private let door: HubDoor
    private let state: Mutex<State>

    private struct State {
        var proof: Result<AgentIdentity?, TunnelFailure>
        var status = HTTPResponseStatus.upgradeRequired
    }

    init(_ door: HubDoor, _ proof: Result<AgentIdentity?, TunnelFailure>) {
        self.door = door
        state = Mutex(State(proof: proof))
    }

    /// What is answered when nothing comes of it.
    var status: HTTPResponseStatus { state.withLock { $0.status } }

    func attach(_ channel: any Channel) throws { try door.attach(channel, state.withLock { $0.proof }) }

    /// - Returns: headers of the answer, or `nil`: no upgrade.
    func judge(_ head: HTTPRequestHead, on loop: any EventLoop) -> EventLoopFuture<HTTPHeaders?> {
        func refuse(_ status: HTTPResponseStatus) -> EventLoopFuture<HTTPHeaders?> {
            state.withLock { $0.status = status }
            return loop.makeSucceededFuture(nil)
        }
        guard head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) == door.settings.path else {
            return refuse(.notFound)
        }
        let protocols = head.headers[canonicalForm: "Sec-WebSocket-Protocol"].map(String.init)
        guard protocols.contains(TunnelProtocol.webSocket) else { return refuse(.badRequest) }
        let answer = HTTPHeaders([("Sec-WebSocket-Protocol", TunnelProtocol.webSocket)])
        guard let bearer = Self.bearer(head.headers), let trust = door.hub.trust else {
            return loop.makeSucceededFuture(answer)
        }
        let promise = loop.makePromise(of: HTTPHeaders?.self)
        door.hub.errands.run(
            { () async throws(TunnelFailure) in
                try await trust.identify(bearer: bearer)
            }, on: loop, with: self,
            then: { upgrade, result in
                switch result {
                case .success(let identity):
                    upgrade.state.withLock { $0.proof = .success(identity) }
                    promise.succeed(answer)
                case .failure(let failure):
                    upgrade.state.withLock { $0.status = .unauthorized }
                    upgrade.door.hub.refused("?", failure)
                    promise.succeed(nil)
                }
            })
        return promise.futureResult
    }

    private static func bearer(_ headers: HTTPHeaders) -> String? {
        guard let text = headers.first(name: "Authorization"), text.lowercased().hasPrefix("bearer ") else {
            return nil
        }
        return String(text.dropFirst("bearer ".count))
    }
}

/// Answers whoever asked for something else, and closes.
final class UpgradeRefusing: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let upgrade: HubUpgrade
    /// Told what to count; `nil`: an agent that is counted as refused.
    private let ends: (DoorEnd?) -> Void

    init(_ upgrade: HubUpgrade, ends: @escaping (DoorEnd?) -> Void) {
        self.upgrade = upgrade
        self.ends = ends
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let status = upgrade.status
        ends(status == .unauthorized ? nil : .http)
        var headers = HTTPHeaders([("Content-Length", "0"), ("Connection", "close")])
        if status == .upgradeRequired { headers.add(name: "Upgrade", value: "websocket") }
        if status == .unauthorized { headers.add(name: "WWW-Authenticate", value: "Bearer") }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil)))
            .whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Said before the request of a refused upgrade comes; that is answered.
        guard !(error is NIOWebSocketUpgradeError) else { return }
        ends(.http)
        context.close(promise: nil)
    }
}
