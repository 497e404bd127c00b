import AsyncHTTPClient
import Foundation
import JWTKit
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeirWorld

@testable import WeirTunnel

/// An identity provider: a key, what it publishes, and tokens.
struct Provider {
    let keys = JWTKeyCollection()
    let published: String

    struct Claims: JWTPayload {
        var exp = ExpirationClaim(value: Date().addingTimeInterval(600))
        var aud = AudienceClaim(value: ["nowconnect"])
        var agent = "site-01"
        var connectors: [String]?
        var scope: String?

        enum CodingKeys: String, CodingKey {
            case exp, aud, connectors, scope
            case agent = "agent_id"
        }

        func verify(using algorithm: some JWTAlgorithm) {}
    }

    init() async throws {
        let key = ES256PrivateKey()
        await keys.add(ecdsa: key, kid: "one")
        let parameters = try #require(key.publicKey.parameters)
        func plain(_ text: String) -> String {
            text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }
        published = """
            {"keys": [{"kty": "unheard-of", "kid": "zero"}, {"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256",
            "use": "sig", "x": "\(plain(parameters.x))", "y": "\(plain(parameters.y))"}]}
            """
    }

    func token(_ change: (inout Claims) -> Void = { _ in }) async throws -> String {
        var claims = Claims()
        change(&claims)
        return try await keys.sign(claims, kid: "one")
    }
}

@Suite("Bearer tokens", .serialized)
struct BearerTests {
    @Test("name an agent and its connectors; anything wrong with them is refused with its own reason")
    func judges() async throws {
        let provider = try await Provider()
        let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json").path
        try provider.published.write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let world = World.live(log: Logger(label: "tunnel", factory: { _ in SwiftLogNoOpLogHandler() }))
        var settings = BearerTrust.Settings(keys: path)
        settings.audience = "nowconnect"
        let trust = BearerTrust(settings, http: .shared, world: world)
        let all = try await trust.identify(try await provider.token())
        #expect(all.agent == "site-01" && all.connectors == nil && all.proof == .jwt)
        let two = try await trust.identify(
            try await provider.token { $0.scope = "openid connector:ad connector:hr" })
        #expect(two.connectors == ["ad", "hr"])
        #expect(try await trust.identify(try await provider.token { $0.connectors = [] }).connectors == [])

        func code(_ token: String) async -> String? {
            do throws(TunnelFailure) {
                _ = try await trust.identify(token)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(await code(try await provider.token { $0.aud = "other" }) == "token_audience")
        #expect(await code(try await provider.token { $0.exp = .init(value: Date()) }) == "token_expired")
        #expect(await code(try await provider.token { $0.agent = "../x" }) == "agent_name")
        let stranger = try await Provider()
        #expect(await code(try await stranger.token()) == "token_signature")
        let good = try await provider.token()
        #expect(await code(String(good.dropLast(6)) + "AAAAAA") == "token_signature")
        let header = Data(#"{"alg":"none","kid":"one"}"#.utf8).base64EncodedString()
        let parts = good.split(separator: ".")
        #expect(await code("\(header).\(parts[1]).") != nil)
        #expect(await code("not a token") == "token_malformed")
        settings.requiresConnectors = true
        let strict = BearerTrust(settings, http: .shared, world: world)
        #expect(try await strict.identify(try await provider.token()).connectors == [])
    }

    @Test("let an agent in by WebSocket, through a proxy that wants credentials; a wrong one is answered 401")
    func throughProxy() async throws {
        let provider = try await Provider()
        let server = try await target { count in Array("\(count)".utf8) }
        let proxy = try await ConnectProxy()
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try provider.published.write(toFile: folder + "/keys.json", atomically: true, encoding: .utf8)
        try await provider.token().write(toFile: folder + "/good", atomically: true, encoding: .utf8)
        try await provider.token { $0.aud = "x" }.write(toFile: folder + "/bad", atomically: true, encoding: .utf8)
        let stage = try await DoorStage(listeners: ["echo"], plain: true, keys: folder + "/keys.json")
        let targets = ["echo": server.localAddress?.port ?? 0]
        try await stage.run {
            let way = ProxyChoice(url: "http://user:pass@127.0.0.1:\(proxy.port)")
            let agent = try await stage.agent(
                "site-01", targets: targets, scheme: "ws", proxy: way, bearerFile: folder + "/good")
            try await stage.with(agent) {
                try await holds("it is there") { agent.isConnected }
                #expect(try await stage.echo("three").text == "5")
            }
            #expect(proxy.counts.opened > 0)
            for (file, path, name) in [("bad", "/tunnel", "site-02"), ("good", "/other", "site-01")] {
                let agent = try await stage.agent(
                    name, targets: targets, scheme: "ws", path: path, proxy: way, bearerFile: "\(folder)/\(file)")
                let before = proxy.counts.opened
                try await stage.with(agent) {
                    try await holds("it has tried twice") { proxy.counts.opened > before + 1 }
                    #expect(!agent.isConnected)
                }
            }
            let stranger = try await stage.agent(
                "site-01", targets: targets, scheme: "ws",
                proxy: ProxyChoice(url: "http://user:wrong@127.0.0.1:\(proxy.port)"), bearerFile: folder + "/good")
            try await stage.with(stranger) {
                try await holds("the proxy refuses it") { proxy.counts.refused > 0 }
                #expect(!stranger.isConnected)
            }
        }
        try await proxy.channel.close()
        try await server.close()
        try FileManager.default.removeItem(atPath: folder)
    }
}
