internal import NIOCore
internal import NIOPosix
internal import WeirWorld

/// Opens a stream on a link and joins a client's descriptor to it.
struct StreamOpening: Sendable {
    var request: OpenRequest
    var opening: ConnectionOpening
    /// What the policy was asked.
    var question: OpenQuestion
    var limits: StreamLimits
    var descriptor: CInt
    var hub: Hub
    /// Told on the event loop when client and target are about to be joined: before anything can end.
    var atStart: @Sendable () -> Void
    /// Told once, when a stream that was opened is over.
    var atEnd: @Sendable (SocketEnd.Outcome) -> Void

    enum Outcome: Sendable, Hashable {
        /// Client and target are joined: the descriptor is the stream's.
        case opened
        case refused(StreamReason)
        /// The client has reset its connection meanwhile.
        case clientLeft
    }

    func run(on handle: LinkHandle) async -> Outcome {
        handle.load.more()
        let outcome = await withCheckedContinuation { (done: CheckedContinuation<Outcome, Never>) in
            handle.loop.execute { begin(handle, done) }
        }
        if outcome != .opened { handle.load.less() }
        return outcome
    }

    private func begin(_ handle: LinkHandle, _ done: CheckedContinuation<Outcome, Never>) {
        let link = handle.bound.value
        let hasLeft = { AcceptedClient.hasLeft(descriptor) }
        _ = OpeningEnd(
            request, on: link, timeout: .nanoseconds(hub.settings.connectTimeout.nanoseconds), mayGiveUp: hasLeft
        ) { result in
            switch result {
            case .failure(let failure): done.resume(returning: .refused(failure.reason))
            case .success(nil): done.resume(returning: .clientLeft)
            case .success(let stream?):
                let place = hub.connections.add(
                    .init(opening: opening, question: question, gate: limits.own, link: handle, stream: stream))
                let end = SocketEnd(
                    link: link, stream: stream, meter: hub.observer.meter(opening), limits: limits
                ) { outcome in
                    handle.load.less()
                    atEnd(outcome)
                    // Last: who waits for it knows that all was told.
                    hub.connections.remove(place)
                }
                atStart()
                link.attach(end, to: stream)
                join(end, on: link, stream)
                done.resume(returning: .opened)
            }
        }
    }

    private func join(_ end: SocketEnd, on link: Link, _ stream: UInt32) {
        guard let loop = link.loop else { return }
        let bound = NIOLoopBound(end, eventLoop: loop)
        let linkBound = NIOLoopBound(link, eventLoop: loop)
        SocketEnd.options(ClientBootstrap(group: loop))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .withConnectedSocket(descriptor)
            .whenFailure { _ in
                linkBound.value.reset(stream, .socketReset)
                bound.value.reset(.socketReset)
            }
    }
}

extension SocketEnd {
    /// What the sockets of both sides have in common.
    static func options(_ bootstrap: ClientBootstrap) -> ClientBootstrap {
        bootstrap
            .channelOption(.autoRead, value: false)
            // One, after the first (`ReadAllowance`).
            .channelOption(.maxMessagesPerRead, value: 2)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    }
}
