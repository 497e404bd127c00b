import NIOCore
import NIOSSL
import Testing
import WeirCalls
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings

/// The same cases for a stream and for HTTP: what is verified must not depend on the protocol.
@Suite(.timeLimit(.minutes(5))) struct TLSTests {
    enum Way: CaseIterable { case stream, http }

    static func attempt(_ way: Way, _ server: NIOSSLContext, _ tls: TLSSettings, host: String = "127.0.0.1")
        async throws -> DeliveryFailure?
    {
        switch way {
        case .stream:
            let receiver = try await StreamReceiver.start(tls: server)
            var settings = TCPDestination.Settings()
            settings.address = "\(host):\(receiver.port)"
            settings.tls = tls
            let destination = try Bench.endpoint(settings)
            var failed = await failure { () async throws(DeliveryFailure) in
                try await destination.open()
                _ = try await destination.send(Bench.batch("hello"))
            }
            // With TLS 1.3 a server's refusal of our certificate comes after our handshake is done.
            if failed == nil, tls.certificate.isEmpty {
                for _ in 0..<100 where failed == nil && receiver.text.isEmpty {
                    try await Task.sleep(for: .milliseconds(10))
                    failed = await failure { () async throws(DeliveryFailure) in
                        _ = try await destination.send(Bench.batch("hello"))
                    }
                }
            }
            if failed == nil {
                await receiver.waitForBytes(6)
                #expect(receiver.text.hasPrefix("hello\n"))
            }
            await destination.close()
            await receiver.stop()
            return failed
        case .http:
            let receiver = try await HTTPReceiver.start(tls: server, name: host)
            var settings = HTTPDestination.Settings()
            settings.url = receiver.secureURL
            settings.tls = tls
            let destination = try Bench.endpoint(settings)
            let failed = await failure { () async throws(DeliveryFailure) in
                try await destination.open()
                _ = try await destination.send(Bench.batch("hello"))
            }
            if failed == nil { #expect(receiver.requests.count == 1) }
            await receiver.stop()
            return failed
        }
    }

    @Test(
        "A certificate of our authority for this address is accepted, by address and by name", arguments: Way.allCases,
        ["127.0.0.1", "localhost"])
    func good(way: Way, host: String) async throws {
        guard let made = try Certificates.make(), try made.leaf("good", names: "IP:127.0.0.1,DNS:localhost") else {
            return
        }
        var tls = TLSSettings()
        tls.ca = made.ca
        #expect(try await Self.attempt(way, made.server("good"), tls, host: host) == nil)
    }

    @Test(
        "Another name, another authority, an expired certificate: refused, and tried again later",
        arguments: Way.allCases, ["name", "address", "authority", "system", "expired", "self"])
    func refused(way: Way, what: String) async throws {
        guard let made = try Certificates.make() else { return }
        var tls = TLSSettings()
        tls.ca = made.ca
        var host = "127.0.0.1"
        switch what {
        case "name":
            host = "localhost"
            try #require(try made.leaf("bad", names: "DNS:other.example"))
        case "address": try #require(try made.leaf("bad", names: "IP:127.0.0.2,DNS:localhost"))
        case "authority":
            try #require(try made.authority("other"))
            try #require(try made.leaf("bad", names: "IP:127.0.0.1", ca: "other"))
        case "expired": try #require(try made.leaf("bad", names: "IP:127.0.0.1", days: -1))
        case "self": try #require(try made.authority("bad"))
        default:
            tls.ca = ""
            try #require(try made.leaf("bad", names: "IP:127.0.0.1"))
        }
        let failed = try await Self.attempt(way, made.server("bad"), tls, host: host)
        #expect(failed?.reason.code == "tls_failed")
        #expect(failed?.isTransient == true)
    }

    @Test("A server that wants our certificate gets it, and without one there is no delivery", arguments: Way.allCases)
    func client(way: Way) async throws {
        guard let made = try Certificates.make(), try made.leaf("good", names: "IP:127.0.0.1"),
            try made.leaf("us", names: "DNS:us")
        else { return }
        var tls = TLSSettings()
        tls.ca = made.ca
        let server = try made.server("good", clients: true)
        #expect(try await Self.attempt(way, server, tls) != nil)
        (tls.certificate, tls.key) = (made.path("us.pem"), made.path("us.key"))
        #expect(try await Self.attempt(way, server, tls) == nil)
    }

    @Test("A server that knows only TLS 1.1 is refused", arguments: Way.allCases)
    func old(way: Way) async throws {
        guard let made = try Certificates.make(), try made.leaf("good", names: "IP:127.0.0.1") else { return }
        var tls = TLSSettings()
        tls.ca = made.ca
        #expect(try await Self.attempt(way, made.server("good", most: .tlsv11), tls) != nil)
        tls.minVersion = .tls13
        #expect(try await Self.attempt(way, made.server("good", most: .tlsv12), tls) != nil)
    }

    @Test("The name to verify can differ from the address")
    func serverName() async throws {
        guard let made = try Certificates.make(), try made.leaf("good", names: "DNS:relay.example") else { return }
        var tls = TLSSettings()
        tls.ca = made.ca
        tls.serverName = "relay.example"
        #expect(try await Self.attempt(.stream, made.server("good"), tls) == nil)
    }

    @Test(
        "Files that cannot be used are said at check time and, when they go later, suspend",
        arguments: ["ca", "certificate", "key", "pair"])
    func files(what: String) async throws {
        guard let made = try Certificates.make(), try made.leaf("us", names: "DNS:us"),
            try made.leaf("other", names: "DNS:us")
        else { return }
        var settings = TCPDestination.Settings()
        settings.address = "127.0.0.1:9"
        var tls = TLSSettings()
        tls.ca = what == "ca" ? made.path("us.key") : made.ca
        tls.certificate = what == "certificate" ? "/does/not/exist" : made.path("us.pem")
        tls.key = what == "key" ? made.path("us.pem") : what == "pair" ? made.path("other.key") : made.path("us.key")
        settings.tls = tls
        let problems = Bench.planned(settings).problems
        #expect(problems.map(\.path) == ["destinations.test.tls.\(what == "pair" ? "key" : what)"])
    }
}
