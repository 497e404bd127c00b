internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import WeirWorld

extension Agent {
    /// Dials what the hub asked for, if this agent serves it. On the link's event loop.
    func dial(_ request: OpenRequest, _ end: DialingEnd, on link: Link, stream: UInt32) {
        guard let target = settings.targets[request.connector] else {
            observer.openRefused(.notAllowed)
            return end.failed(.notAllowed)
        }
        guard
            state.withLock({ state in
                guard state.streams < settings.streamsMost else { return false }
                state.streams += 1
                return true
            }), let loop = link.loop
        else {
            observer.openRefused(.busy)
            return end.failed(.busy)
        }
        let opening = ConnectionOpening(
            connector: request.connector, listener: request.listener ?? "", client: request.client, agent: settings.id,
            since: world.time.wall, decision: request.decision)
        let socket = SocketEnd(link: link, stream: stream, meter: observer.meter(opening)) { [weak self] _ in
            self?.state.withLock { $0.streams -= 1 }
        }
        let began = world.time.now
        targets.dial(target, for: request, on: loop, within: .nanoseconds(settings.connectTimeout.nanoseconds))
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    observer.dialled(request.connector, nil, after: world.time.now - began)
                    guard !end.isGone else {
                        socket.reset(.socketReset)
                        // Its client was reset while this was dialled; so is the target.
                        return SocketEnd.cut(channel)
                    }
                    if target.tellsClient {
                        let header = ByteBuffer(bytes: request.proxyHeader)
                        channel.writeAndFlush(header, promise: nil)
                    }
                    end.connected(socket)
                    try? channel.pipeline.syncOperations.addHandler(socket)
                case .failure(let error):
                    let status = DialStatus(error)
                    observer.dialled(request.connector, status.reason, after: world.time.now - began)
                    socket.reset(status.reason ?? .unreachable)
                    end.failed(status)
                }
            }
    }
}

extension DialStatus {
    /// What a failed dial says about the target.
    init(_ error: any Error) {
        switch error {
        case let error as IOError where error.errnoCode == ECONNREFUSED: self = .refused
        case let error as NIOConnectionError:
            let inner = error.connectionErrors.map(\.error)
            if inner.contains(where: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }) {
                self = .refused
            } else if inner.contains(where: { $0 is ChannelError }) {
                self = .timedOut
            } else {
                self = .unreachable
            }
        case ChannelError.connectTimeout: self = .timedOut
        default: self = .unreachable
        }
    }
}
