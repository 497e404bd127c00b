import NIOCore
import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("A hub that is called by its address, behind a proxy", .serialized)
struct ProxiedAddressTests {
    @Test(
        "is known by the address in its certificate, not by the proxy's",
        arguments: [("127.0.0.2", true), ("127.0.0.3", false)])
    func address(host: String, isKnown: Bool) async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let proxy = try await ConnectProxy()
        let stage = try await DoorStage(
            listeners: ["echo"], change: { $0.names += ["127.0.0.2"] }, door: { $0.host = "0.0.0.0" })
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token,
                proxy: ProxyChoice(url: "http://user:pass@127.0.0.1:\(proxy.port)"), host: host)
            try await stage.with(agent) {
                if isKnown {
                    try await holds("it is there") { agent.isConnected }
                    #expect(try await stage.echo("three").text == "5")
                } else {
                    try await holds("it has tried three times") { proxy.counts.opened >= 3 }
                    #expect(!agent.isConnected && stage.hub.roster.agents.isEmpty)
                }
            }
        }
        try await proxy.channel.close()
        try await server.close()
    }
}
