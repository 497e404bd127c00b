internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
import Synchronization
internal import WeirGates
internal import WeirWorld

/// Links to the other hubs: one each, dialled again as long as the registry names the hub.
extension Mesh {
    func newPeers() -> [String] {
        state.withLock { state in
            let new = state.ownership.peers.keys.filter { state.peers[$0] == nil }.sorted()
            for peer in new { state.peers[peer] = Peer(since: world.time.wall) }
            return new
        }
    }

    /// Keeps a link to a hub until it is gone.
    func keep(_ peer: String, _ hub: Hub) async {
        var backoff = Backoff(first: .seconds(1), most: .seconds(10))
        while !Task.isCancelled {
            let entry = state.withLock { state in
                let entry = state.ownership.peers[peer]
                if entry == nil { state.peers[peer] = nil }
                return entry
            }
            guard let entry else { return }
            let began = world.time.now
            let end = await once(peer, entry.address, hub)
            if world.time.now - began >= backoff.stable { backoff = Backoff(first: .seconds(1), most: .seconds(10)) }
            let isNews = state.withLock { state in
                defer { state.peers[peer]?.failure = end }
                return state.peers[peer]?.failure != end
            }
            guard !Task.isCancelled else { return }
            if isNews {
                world.log.warning(
                    "No link to another hub; it is dialled again.",
                    metadata: ["hub": "\(peer)", "address": "\(entry.address)", "reason": "\(end)"])
            }
            try? await world.time.sleep(for: backoff.failed(at: world.time.now, random: world.random))
        }
    }

    /// One link from its dial to its end.
    /// - Returns: why there is none.
    private func once(_ peer: String, _ address: String, _ hub: Hub) async -> String {
        guard let end = HostPort(address, port: nil), let tls = state.withLock({ $0.tls }), let trust = hub.trust else {
            return "`\(address)` is no address"
        }
        let (events, into) = AsyncStream<LinkEnd>.makeStream()
        let id = hub.nextLink()
        let loop = group.next()
        let started = loop.makePromise(of: Void.self)
        do {
            let channel = try await ClientBootstrap(group: loop)
                .connectTimeout(.seconds(5))
                .channelOption(.maxMessagesPerRead, value: 1)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls.client, serverHostname: nil))
                        try pipeline.addHandler(
                            self.shaking(peer, id, trust, hub, started) { into.yield($0) })
                    }
                }
                .connect(host: end.host, port: end.port).get()
            try await started.futureResult.get()
            for await end in events { return "\(end)" }
            // The hub stops, and drains this link with the others.
            try? await channel.closeFuture.get()
            return "this hub stops"
        } catch {
            started.fail(error)
            return "\(error)"
        }
    }

    private func shaking(
        _ peer: String, _ id: UInt64, _ trust: HubTrust, _ hub: Hub, _ started: EventLoopPromise<Void>,
        ended: @escaping @Sendable (LinkEnd) -> Void
    ) -> MeshShaking {
        let owner = MeshDialOwner(
            id: id,
            up: { [weak self] handle in
                hub.adopt(handle)
                self?.up(peer, handle)
            }, drains: { [weak self] in self?.down(peer, id, nil) },
            ended: { [weak self] end in
                hub.dropped(id)
                self?.down(peer, id, end)
                ended(end)
            })
        return MeshShaking(
            trust.authority, within: .seconds(10),
            link: { (name, channel) throws(TunnelFailure) in
                guard name == peer else {
                    throw TunnelFailure("not_a_hub", "this is `\(name)`, and not `\(peer)`")
                }
                return Link(
                    Self.session(of: hub, .client), owner: owner, random: self.world.random, at: channel.eventLoop.now)
            },
            done: { result in
                switch result {
                case .success: started.succeed(())
                case .failure(let failure): started.fail(failure)
                }
            })
    }

    /// Hubs are few, and what one of them has is missed by all: a dead link is found within 9 s.
    static func session(of hub: Hub, _ role: Session.Role) -> Session.Settings {
        var session = hub.settings.session
        session.role = role
        session.pingEvery = .seconds(3)
        session.pingTimeout = .seconds(5)
        // The hub that its client came to watches over that.
        session.idleTimeout = nil
        return session
    }

    private func up(_ peer: String, _ link: LinkHandle) {
        state.withLock { state in
            state.peers[peer]?.link = link
            state.peers[peer]?.since = world.time.wall
            state.peers[peer]?.failure = nil
        }
        world.log.notice("A link to another hub stands.", metadata: ["hub": "\(peer)"])
    }

    private func down(_ peer: String, _ link: UInt64, _ end: LinkEnd?) {
        state.withLock { state in
            if let end { state.figures.ends[peer, default: [:]][end.name, default: 0] += 1 }
            guard state.peers[peer]?.link?.id == link else { return }
            state.peers[peer]?.link = nil
            state.peers[peer]?.since = world.time.wall
        }
    }
}
