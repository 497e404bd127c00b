import Crypto
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing
import WeirWorld
import X509

@testable import WeirTunnel

/// Two hubs in this process with a registry between them.
@Suite("Links between hubs", .serialized)
struct MeshTests {
    private func stages() async throws -> (a: DoorStage, b: DoorStage, registry: ModelRegistry) {
        let registry = ModelRegistry(LiveClock())
        let a = try await DoorStage(listeners: ["echo"], hub: "a", registry: registry)
        let b = try await DoorStage(listeners: ["echo"], hub: "b", registry: registry)
        return (a, b, registry)
    }

    private struct LiveClock: TimeSource {
        var now: Moment { Moment(NIODeadline.now()) }
        var wall: WallTime { WallTime(nanoseconds: now.nanoseconds) }
        func sleep(until moment: Moment) async throws { try await Task.sleep(for: moment - now) }
    }

    /// Dials a hub's mesh, and asks it for one stream.
    /// - Returns: why it was refused; `nil` when the target is there.
    private func ask(
        _ stage: DoorStage, as name: String, _ forward: Forward?, through context: NIOSSLContext
    ) async throws -> StreamReason? {
        let loop = stage.group.next()
        let answer = loop.makePromise(of: StreamReason?.self)
        let authority = stage.trust.authority
        let owner = NIOLoopBoundBox.makeEmptyBox(valueType: MeshDialOwner.self, eventLoop: loop)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    owner.value = MeshDialOwner(
                        id: 1,
                        up: { handle in
                            var request = OpenRequest(connector: "echo", client: "192.0.2.1:9")
                            request.forward = forward
                            _ = OpeningEnd(request, on: handle.bound.value, timeout: .seconds(60)) { result in
                                switch result {
                                case .success: answer.succeed(nil)
                                case .failure(let failure): answer.succeed(failure.reason)
                                }
                            }
                        }, drains: {}, ended: { _ in answer.fail(ChannelError.eof) })
                    try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                    try pipeline.addHandler(
                        MeshShaking(
                            authority, within: .seconds(60),
                            link: { (_, channel) throws(TunnelFailure) in
                                guard let owner = owner.value else { throw TunnelFailure("test", "no owner") }
                                return Link(
                                    Session.Settings(role: .client), owner: owner, random: SeededRandom(seed: 1),
                                    at: channel.eventLoop.now)
                            }, done: { if case .failure(let failure) = $0 { answer.fail(failure) } }))
                }
            }
            .connect(host: "127.0.0.1", port: stage.hub.mesh?.port ?? 0).get()
        defer { channel.close(promise: nil) }
        return try await answer.futureResult.get()
    }

    @Test("What names another epoch, another hub or nothing is refused, and goes nowhere else")
    func stale() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let (a, b, _) = try await stages()
        try await a.run {
            try await b.run {
                let token = try await b.trust.makeToken(agent: "site-01", connectors: ["echo"], by: "test")
                let agent = try await a.agent(
                    "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
                try await a.with(agent) {
                    let (near, far) = (try #require(a.hub.mesh), try #require(b.hub.mesh))
                    try await holds("the other hub has a way") { !far.routes(to: "echo").routes.isEmpty }
                    #expect(try await b.echo("five!").text == "5")
                    let forward = try #require(far.routes(to: "echo").routes.first).forward
                    let tls = try MeshTLS(a.trust.authority, hub: "c", life: .seconds(60), at: a.world.time.wall)
                    #expect(try await ask(a, as: "c", forward, through: tls.client) == nil)
                    var other = forward
                    other.epoch.number += 1
                    #expect(try await ask(a, as: "c", other, through: tls.client) == .staleOwner)
                    other = forward
                    other.epoch.incarnation = "before"
                    #expect(try await ask(a, as: "c", other, through: tls.client) == .staleOwner)
                    #expect(try await ask(a, as: "c", nil, through: tls.client) == .staleOwner)
                    // The right number at the wrong hub: it has a way to the agent, and does not take it.
                    #expect(try await ask(b, as: "c", forward, through: tls.client) == .staleOwner)
                    #expect(near.status.figures.forwards[.in]?[.stale] == 3)
                    #expect(far.status.figures.forwards[.in]?[.stale] == 1)
                }
            }
        }
        try await server.close()
    }

    @Test("An agent's certificate opens no link between hubs, and neither does another authority's")
    func strangers() async throws {
        let (a, b, _) = try await stages()
        try await a.run {
            let now = a.world.time.wall
            let other = try CertificateAuthority.made(name: "other", at: now)
            let tls = try MeshTLS(other, hub: "b", life: .seconds(60), at: now)
            await #expect(throws: (any Error).self) { _ = try await ask(a, as: "b", nil, through: tls.client) }

            let key = P256.Signing.PrivateKey()
            let issued = try a.trust.authority.sign(
                Certificate.PrivateKey(key).publicKey, name: "site-01", usage: [.clientAuth],
                names: [.uniformResourceIdentifier("weir:agent:site-01")], .seconds(60), now)
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(issued.chain.utf8))
                .map { .certificate($0) }
            client.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))
            client.applicationProtocols = [MeshTLS.name]
            client.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(a.trust.authority.certificatePEM.utf8)))
            client.certificateVerification = .noHostnameVerification
            let context = try NIOSSLContext(configuration: client)
            // TLS 1.3 lets a client begin before its certificate was looked at.
            let answer = try? await ask(a, as: "b", nil, through: context)
            #expect(answer == nil || answer == .sessionLost)
            #expect(a.hub.mesh?.status.figures.forwards[.in] == nil)
        }
        try await b.run {}
    }

    @Test("A token is spent once over all hubs, and not at all while nobody can note it")
    func tokens() async throws {
        let (a, b, registry) = try await stages()
        try await a.run {
            try await b.run {
                let token = try await a.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
                let first = try await b.agent("site-01", targets: ["echo": 1], token: token, keeps: false)
                registry.isDown.withLock { $0 = true }
                try await b.with(first) {
                    try await holds("refused") { first.refusal?.code == "registry_down" }
                    registry.isDown.withLock { $0 = false }
                    try await holds("taken") { first.isConnected }
                }
                let thief = try await a.agent("site-01", targets: ["echo": 1], token: token, keeps: false)
                try await a.with(thief) { try await holds("refused") { thief.refusal?.code == "token_used" } }
                // A revocation that the registry did not hear of at once.
                registry.isDown.withLock { $0 = true }
                try await a.trust.revoke("site-01", by: "test", why: "gone")
                #expect(b.trust.members.first?.revoked == nil)
                registry.isDown.withLock { $0 = false }
                try await holds("heard of") { b.trust.members.first?.revoked != nil }
            }
        }
    }
}
