internal import NIOCore
internal import WeirWorld

/// The end of a link between hubs that dialled it: opens streams, and takes none.
final class MeshDialOwner: Link.Owner {
    private let up: (LinkHandle) -> Void
    private let drains: () -> Void
    private let ended: (LinkEnd) -> Void
    private let id: UInt64

    init(
        id: UInt64, up: @escaping (LinkHandle) -> Void, drains: @escaping () -> Void,
        ended: @escaping (LinkEnd) -> Void
    ) {
        self.id = id
        self.up = up
        self.drains = drains
        self.ended = ended
    }

    func linkIsUp(_ link: Link) {
        if let loop = link.loop { up(LinkHandle(link, loop: loop, id: id)) }
    }

    func opened(_ stream: UInt32, on link: Link) { link.reset(stream, .notAllowed) }
    func peerDrains(_ link: Link) {
        drains()
        // What is open on it goes on.
        link.drain()
    }
    func linkIsDown(_ link: Link, _ end: LinkEnd) { ended(end) }
}

/// The end that was dialled: each stream is an open that another hub forwards. It goes to an agent of this hub, or
/// nowhere: never on to a third.
final class MeshServeOwner: Link.Owner {
    private let id: UInt64
    private let hub: Hub
    private let mesh: Mesh

    init(id: UInt64, hub: Hub, mesh: Mesh) {
        self.id = id
        self.hub = hub
        self.mesh = mesh
    }

    func linkIsUp(_ link: Link) {
        if let loop = link.loop { hub.adopt(LinkHandle(link, loop: loop, id: id)) }
    }

    func opened(_ stream: UInt32, on link: Link) {
        _ = DialingEnd(on: link, stream: stream) { [self, weak link] request, end in
            guard let link else { return }
            dial(request, end, on: link, stream)
        }
    }

    private func dial(_ request: OpenRequest, _ end: DialingEnd, on link: Link, _ stream: UInt32) {
        guard let forward = request.forward, let loop = link.loop, mesh.judge(forward) == .ours,
            let agent = hub.roster.agents[forward.agent], agent.connectors.contains(request.connector),
            let far = agent.links.min(by: { $0.streams < $1.streams })
        else {
            mesh.count(.in, .stale)
            return end.failed(.stale)
        }
        var request = request
        request.forward = nil
        let near = StreamBridge(link, stream, loop: loop, bytes: mesh.bytes)
        let sides = NIOLoopBound((near: near, end: end), eventLoop: loop)
        let bound = NIOLoopBound(near, eventLoop: loop)
        let (hub, mesh) = (hub, mesh)
        far.loop.execute { [request] in
            Self.open(
                request, on: far, for: bound, timeout: hub.settings.connectTimeout, bytes: mesh.bytes
            ) { status in
                // On the agent's event loop.
                loop.execute {
                    let (near, end) = sides.value
                    if let status { return end.failed(status) }
                    // The other hub's client was reset while this was opened; so is the target.
                    if end.isGone { near.reset(.socketReset) } else { end.connected(near) }
                }
                mesh.count(.in, status == nil ? .opened : .refused)
            }
        }
    }

    /// On the agent's event loop.
    /// - Parameter done: told once; `nil`: the target is there, and the halves are joined.
    private static func open(
        _ request: OpenRequest, on far: LinkHandle, for near: NIOLoopBound<StreamBridge>,
        timeout: Duration, bytes: MeshFigures.Bytes,
        done: @escaping @Sendable (DialStatus?) -> Void
    ) {
        let link = far.bound.value
        far.load.more()
        let timeout = TimeAmount.nanoseconds(timeout.nanoseconds)
        _ = OpeningEnd(request, on: link, timeout: timeout) { result in
            switch result {
            case .success(let stream?):
                let half = StreamBridge(link, stream, loop: far.loop, bytes: bytes) { far.load.less() }
                half.join(near)
                let bound = NIOLoopBound(half, eventLoop: far.loop)
                near.eventLoop.execute { near.value.join(bound) }
                link.attach(half, to: stream)
                done(nil)
            case .success(nil):
                far.load.less()
                done(.unreachable)
            case .failure(let failure):
                far.load.less()
                done(DialStatus(failure.reason))
            }
        }
    }

    func peerDrains(_ link: Link) { link.drain() }
    func linkIsDown(_ link: Link, _ end: LinkEnd) { hub.dropped(id) }
}

extension DialStatus {
    /// How a hub says to another what an agent has said to it.
    init(_ reason: StreamReason) {
        self =
            switch reason {
            case .refused: .refused
            case .connectTimeout: .timedOut
            case .notAllowed: .notAllowed
            case .busy, .draining: .busy
            case .staleOwner, .sessionLost: .stale
            default: .unreachable
            }
    }
}
