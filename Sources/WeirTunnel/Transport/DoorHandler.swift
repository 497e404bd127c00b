internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import NIOTLS
internal import NIOWebSocket

/// One connection at the hub's door until it is a link: after TLS, or where there is none by its first byte, it becomes
/// yamux at once or by way of an upgrade.
final class DoorHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let door: HubDoor
    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isSettled = false
    /// What to count when no link comes of it; `nil`: it is counted elsewhere.
    private var end: DoorEnd? = .left
    private var hasChosen = false

    init(_ door: HubDoor, limit: TimeAmount) {
        self.door = door
        self.limit = limit
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            self?.end = .slow
            channel.close(promise: nil)
        }
        let settle = NIOLoopBound(self, eventLoop: context.eventLoop)
        channel.closeFuture.whenComplete { _ in settle.value.settled(asLink: false) }
    }

    private func settled(asLink: Bool) {
        guard !isSettled else { return }
        isSettled = true
        deadline?.cancel()
        door.settled()
        if !asLink, let end { door.hub.observer.doorClosed(end) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let chosen)? = event as? TLSUserEvent, !hasChosen else {
            return context.fireUserInboundEventTriggered(event)
        }
        hasChosen = true
        // What it was for is over.
        if let last = try? context.pipeline.syncOperations.context(handlerType: LastWords.self) {
            context.pipeline.syncOperations.removeHandler(context: last, promise: nil)
        }
        let proof = proof(context)
        if chosen == TunnelProtocol.direct { start(context, proof) } else { serveHTTP(context, proof) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    // Only without TLS: with it, nothing comes before the handshake.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !hasChosen {
            hasChosen = true
            // yamux begins with its version, 0; HTTP with a letter.
            let bytes = unwrapInboundIn(data)
            let isYamux = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == 0
            if isYamux { start(context, .success(nil)) } else { serveHTTP(context, .success(nil)) }
            context.fireChannelRead(data)
            return context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The library says CERTIFICATE_VERIFY_FAILED of what an agent shows; it has no other use for the word.
        if end == .left { end = "\(error)".contains("CERTIFICATE") ? .certificate : .tls }
        context.close(promise: nil)
    }

    /// What the certificate says that TLS has verified.
    private func proof(_ context: ChannelHandlerContext) -> Result<AgentIdentity?, TunnelFailure> {
        guard let trust = door.hub.trust else { return .success(nil) }
        guard let shown = try? context.pipeline.syncOperations.nioSSL_peerCertificate(),
            let der = try? shown.toDERBytes()
        else { return .success(nil) }
        do throws(TunnelFailure) {
            return .success(try trust.identify(certificate: der))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Yamux

    private func start(_ context: ChannelHandlerContext, _ proof: Result<AgentIdentity?, TunnelFailure>) {
        do {
            try door.attach(context.channel, proof)
            settled(asLink: true)
        } catch {
            context.close(promise: nil)
        }
    }

    // MARK: WebSocket

    private func serveHTTP(_ context: ChannelHandlerContext, _ proof: Result<AgentIdentity?, TunnelFailure>) {
        let upgrade = HubUpgrade(door, proof)
        let settle = NIOLoopBound(self, eventLoop: context.eventLoop)
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: TunnelProtocol.webSocketFrameMost,
            shouldUpgrade: { channel, head in upgrade.judge(head, on: channel.eventLoop) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WebSocketBytes(isClient: false))
                    try upgrade.attach(channel)
                    settle.value.settled(asLink: true)
                }
            })
        // The first that was wrong: a request that is cut short because its time is over is no HTTP either.
        let refusing = UpgradeRefusing(upgrade) { if settle.value.end == .left { settle.value.end = $0 } }
        let bound = NIOLoopBound(refusing, eventLoop: context.eventLoop)
        do {
            try context.pipeline.syncOperations.configureHTTPServerPipeline(
                withPipeliningAssistance: false,
                withServerUpgrade: (
                    upgraders: [upgrader],
                    completionHandler: { context in
                        context.pipeline.syncOperations.removeHandler(bound.value, promise: nil)
                    }
                ))
            try context.pipeline.syncOperations.addHandler(refusing)
        } catch {
            context.close(promise: nil)
        }
    }
}

extension HubDoor {
    /// Makes a link of a channel. On its event loop.
    func attach(_ channel: any Channel, _ proof: Result<AgentIdentity?, TunnelFailure>) throws {
        // From here the link asks for what it reads.
        try channel.syncOptions?.setOption(.autoRead, value: false)
        let address = channel.remoteAddress.flatMap { $0.ipAddress }
        try channel.pipeline.syncOperations.addHandler(
            hub.link(for: proof, address: address, at: channel.eventLoop.now))
    }
}
