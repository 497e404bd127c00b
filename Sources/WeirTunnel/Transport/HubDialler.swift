internal import Foundation
package import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import WeirGates
package import WeirWorld

/// Dials a hub: straight or through an HTTP proxy, TLS 1.3, yamux on TLS or in a WebSocket.
package struct HubDialler: LinkDialler {
    package struct Settings: Sendable {
        package var address: HubAddress
        package var proxy: ProxyChoice?
        /// With `wss`: a WebSocket even where the hub's own TLS answers; for boxes on the way that look into TLS.
        package var onlyWebSocket = false
        /// For the whole way to the first byte of yamux; 15 s.
        package var timeout = Duration.seconds(15)

        package init(address: HubAddress) { self.address = address }
    }

    private let settings: Settings
    private let trust: AgentTrust
    private let world: World

    package init(_ settings: Settings, trust: AgentTrust, world: World) {
        self.settings = settings
        self.trust = trust
        self.world = world
    }

    package func dial(
        on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void
    ) async throws(TunnelFailure) -> any Channel {
        let bearer = try await trust.bearer()
        let end = settings.proxy.flatMap {
            $0.isUsed(for: settings.address.host, port: settings.address.port) ? $0 : nil
        }
        // TLS compares an address with the channel's own peer, which is the proxy: then we compare.
        let unseen = end == nil ? nil : AddressBits(settings.address.host)
        let tls = settings.address.usesTLS ? try await context(comparesPeer: unseen == nil) : nil
        let started = loop.makePromise(of: Void.self)
        let limit = loop.scheduleTask(in: .nanoseconds(settings.timeout.nanoseconds)) {
            started.fail(
                TunnelFailure(
                    "timeout", "\(settings.address) did not answer for \(settings.timeout.shortText).",
                    help: "Something listens there and says nothing: is it the hub, and does a box on the way hold "
                        + "what it does not know? `--web-socket` looks like any web traffic."))
        }
        defer { limit.cancel() }
        do {
            let channel = try await ClientBootstrap(group: loop)
                .connectTimeout(.nanoseconds(settings.timeout.nanoseconds))
                .channelOption(.maxMessagesPerRead, value: 1)
                .channelOption(.recvAllocator, value: ReadSize())
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        LoopbackPath.prepare(channel, to: end?.host ?? settings.address.host)
                        try prepare(channel, through: end, tls, verifying: unseen, bearer, ready, started)
                    }
                }
                .connect(host: end?.host ?? settings.address.host, port: end?.port ?? settings.address.port).get()
            do {
                try await started.futureResult.get()
            } catch {
                channel.close(promise: nil)
                throw error
            }
            return channel
        } catch {
            started.fail(TunnelFailure("connect", "unused"))
            throw DialTrouble(hub: settings.address, proxy: end, proof: trust.shown).failure(error)
        }
    }

    private func prepare(
        _ channel: any Channel, through proxy: ProxyChoice?, _ tls: NIOSSLContext?,
        verifying unseen: AddressBits?, _ bearer: String?,
        _ ready: @escaping @Sendable (any Channel) throws -> Void, _ started: EventLoopPromise<Void>
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        if let proxy {
            try pipeline.addHandler(
                ProxyConnecting(target: settings.address.authority, authorization: proxy.authorization) {
                    started.fail($0)
                })
        }
        if let tls {
            // An address has no name to ask for; its certificate is verified against the address.
            let name = AddressBits(settings.address.host) == nil ? settings.address.host : nil
            try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
            if let unseen { try pipeline.addHandler(AddressVerifying(unseen)) }
        }
        try pipeline.addHandler(
            LinkStarting(
                settings.address, bearer: bearer,
                trouble: DialTrouble(hub: settings.address, proxy: proxy, proof: trust.shown), ready: ready
            ) { result in
                switch result {
                case .success: started.succeed(())
                case .failure(let failure): started.fail(failure)
                }
            })
    }

    // Reads files: away from the event loops.
    private func context(comparesPeer: Bool) async throws(TunnelFailure) -> NIOSSLContext {
        let protocols: [String] =
            switch settings.address.scheme {
            case .tls: [TunnelProtocol.direct]
            case .wss, .ws, .tcp:
                settings.onlyWebSocket ? [TunnelProtocol.http] : [TunnelProtocol.direct, TunnelProtocol.http]
            }
        let lane = world.blocking.lane("tunnel-tls")
        defer { lane.close() }
        do {
            return try await lane.run { [trust, protocols] in
                try trust.context(protocols, comparesPeer: comparesPeer)
            }
        } catch {
            throw error as? TunnelFailure ?? TunnelFailure("tls_setup", "\(error)")
        }
    }
}
