import Testing

@testable import WeirTunnel

@Suite("Where an agent dials")
struct HubAddressTests {
    @Test(
        "addresses of hubs are read as written",
        arguments: [
            ("wss://hub/tunnel", "wss://hub:443/tunnel"), ("wss://hub.example:8443", "wss://hub.example:8443/tunnel"),
            ("tls://[2001:db8::1]:8765", "tls://[2001:db8::1]:8765"),
            ("ws://127.0.0.1/t?x=1", "ws://127.0.0.1:80/t?x=1"), ("tcp://127.0.0.1:8765", "tcp://127.0.0.1:8765"),
        ])
    func addresses(text: String, whole: String) { #expect(HubAddress(text)?.description == whole) }

    @Test(
        "what is none is refused",
        arguments: [
            "hub", "https://hub", "tls://hub", "wss://", "wss://a:b/", "wss://u@h/", "wss://h/a b", "wss://h:0/",
        ])
    func noAddresses(text: String) { #expect(HubAddress(text) == nil) }

    @Test(
        "without TLS only this machine is safe",
        arguments: [
            ("tcp://127.0.0.1:1", true), ("ws://[::1]:1", true), ("ws://localhost", true), ("tls://10.0.0.1:1", true),
            ("tcp://10.0.0.1:1", false), ("ws://127.example.org", false), ("ws://[2001:db8::1]:1", false),
        ])
    func safety(text: String, isSafe: Bool) { #expect(HubAddress(text)?.isSafe == isSafe) }

    @Test("a proxy is used for all hosts but those that are named, with its credentials")
    func proxies() throws {
        let proxy = try #require(
            ProxyChoice.environment([
                "https_proxy": "http://us%40er:pass@proxy.example:3129/",
                "NO_PROXY": "localhost, .corp.example,10.0.0.0/8,other.example:8443",
            ]))
        #expect(proxy.host == "proxy.example" && proxy.port == 3_129)
        #expect(proxy.authorization == "Basic dXNAZXI6cGFzcw==")
        for (host, port, isUsed) in [
            ("hub.example", 443, true), ("LOCALHOST", 443, false), ("a.corp.example", 443, false),
            ("corp.example", 1, false), ("notcorp.example", 1, true), ("10.2.3.4", 443, false), ("11.2.3.4", 443, true),
            ("other.example", 8_443, false), ("other.example", 443, true),
        ] {
            #expect(proxy.isUsed(for: host, port: port) == isUsed, "\(host):\(port)")
        }
        #expect(ProxyChoice(url: "proxy", exceptions: "*")?.isUsed(for: "x", port: 1) == false)
        #expect(ProxyChoice(url: "https://proxy") == nil && ProxyChoice(url: "socks5://proxy:1080") == nil)
        #expect(ProxyChoice.environment([:]) == nil)
    }
}
