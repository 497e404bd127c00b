internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// One connection between hubs until it is a link: waits for TLS, looks who has shown what, and makes room for the
/// link.
final class MeshShaking: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let authority: CertificateAuthority
    /// Makes the link's handler for the hub of that name; or says why not.
    private let link: (String, any Channel) throws(TunnelFailure) -> Link
    /// Told once.
    private var done: ((Result<Void, TunnelFailure>) -> Void)?
    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?

    init(
        _ authority: CertificateAuthority, within limit: TimeAmount,
        link: @escaping (String, any Channel) throws(TunnelFailure) -> Link,
        done: @escaping (Result<Void, TunnelFailure>) -> Void
    ) {
        self.authority = authority
        self.limit = limit
        self.link = link
        self.done = done
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((owner: self, context: context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            let (owner, context) = bound.value
            owner.finish(.failure(TunnelFailure("timeout", "no handshake within \(owner.limit)")), context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let chosen)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        guard chosen == MeshTLS.name,
            let der = try? context.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes(),
            let name = authority.meshName(der)
        else { return finish(.failure(TunnelFailure("not_a_hub", "the other side is no hub of this mesh")), context) }
        do {
            let link = try link(name, context.channel)
            // From here the link asks for what it reads.
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            try context.pipeline.syncOperations.addHandler(link)
            finish(.success(()), context)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            finish(.failure(error as? TunnelFailure ?? TunnelFailure("link", "\(error)")), context)
        }
    }

    private func finish(_ result: Result<Void, TunnelFailure>, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        guard let done else { return }
        self.done = nil
        done(result)
        if case .failure = result { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard done != nil else { return context.fireErrorCaught(error) }
        finish(.failure(TunnelFailure("tls", "\(error)")), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(TunnelFailure("closed", "the connection was closed before the link stood")), context)
        context.fireChannelInactive()
    }
}
