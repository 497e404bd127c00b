import Foundation
import NIOCore
import Testing
import WeirCalls
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWires

@Suite(.timeLimit(.minutes(5))) struct HTTPDestinationTests {
    static func settings(_ url: String, _ change: (inout HTTPDestination.Settings) -> Void = { _ in })
        -> HTTPDestination.Settings
    {
        var settings = HTTPDestination.Settings()
        settings.url = url
        change(&settings)
        return settings
    }

    static func send(_ batches: [Batch], to settings: HTTPDestination.Settings) async throws -> DeliveryFailure? {
        let destination = try Bench.endpoint(settings)
        return await failure { () async throws(DeliveryFailure) in
            try await destination.open()
            _ = try await destination.send(batches)
            await destination.close()
        }
    }

    @Test(
        "Each format gives its body and its type",
        arguments: [
            (HTTPFormat.ndjson, "{\"a\":1}\n{\"b\":2}\n{\"message\":\"x \\\"y\\\"\"}\n", "application/x-ndjson"),
            (.jsonArray, "[{\"a\":1},{\"b\":2},{\"message\":\"x \\\"y\\\"\"}]", "application/json"),
            (.raw, "{\"a\":1}\n{\"b\":2}\nx \"y\"\n", "text/plain; charset=utf-8"),
        ])
    func formats(format: HTTPFormat, body: String, type: String) async throws {
        let receiver = try await HTTPReceiver.start()
        let batches = [Bench.json("{\"a\":1}", "{\"b\":2}"), Bench.batch("x \"y\"")]
        #expect(try await Self.send(batches, to: Self.settings(receiver.url) { $0.format = format }) == nil)
        let request = try #require(receiver.requests.first)
        #expect(String(buffer: request.body) == body)
        #expect(request.header("content-type") == type)
        #expect(request.method == "POST")
        #expect(request.target == "/in")
        await receiver.stop()
    }

    @Test("Bodies are packed as asked and say so", arguments: [HTTPCompression.gzip, .zstd])
    func compressed(compression: HTTPCompression) async throws {
        let receiver = try await HTTPReceiver.start()
        let batch = Batch.texts((0..<1_000).map { "{\"seq\":\($0)}" }, context: Bench.jsonContext)
        #expect(try await Self.send([batch], to: Self.settings(receiver.url) { $0.compress = compression }) == nil)
        let request = try #require(receiver.requests.first)
        #expect(request.header("content-encoding") == compression.rawValue)
        let coding = try #require(ContentCoding(rawValue: compression.rawValue))
        #expect(try Compression.decode(request.body, coding) == batch.slab)
        await receiver.stop()
    }

    @Test("Headers and authorization go along", arguments: ["basic", "bearer"])
    func headers(kind: String) async throws {
        let receiver = try await HTTPReceiver.start()
        let settings = Self.settings(receiver.url) { settings in
            settings.headers = ["X-Tenant": "blue"]
            settings.secretHeaders = ["X-Key": Secret("hidden")]
            settings.method = .put
            var auth = HTTPAuthSettings()
            if kind == "basic" {
                var basic = HTTPAuthSettings.Basic()
                (basic.user, basic.password) = ("Aladdin", Secret("open sesame"))
                auth.basic = basic
            } else {
                auth.bearer = Secret("tok")
            }
            settings.auth = auth
        }
        #expect(try await Self.send([Bench.batch("x")], to: settings) == nil)
        let request = try #require(receiver.requests.first)
        #expect(request.method == "PUT")
        #expect(request.header("x-tenant") == "blue")
        #expect(request.header("x-key") == "hidden")
        #expect(
            request.header("authorization") == (kind == "basic" ? "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" : "Bearer tok"))
        await receiver.stop()
    }

    @Test("Requests use the connection again")
    func keepAlive() async throws {
        let receiver = try await HTTPReceiver.start()
        let destination = try Bench.endpoint(Self.settings(receiver.url))
        for _ in 0..<20 { _ = try await destination.send(Bench.batch("x")) }
        #expect(receiver.requests.count == 20)
        #expect(receiver.connections == 1)
        await receiver.stop()
    }

    @Test("A refusal says what the receiver said, short, on one line, without our secrets")
    func said() async throws {
        let receiver = try await HTTPReceiver.start(
            .status(400, body: "no\r\n\u{1b}[31mtok3n\u{0} " + String(repeating: "z", count: 5_000)))
        var auth = HTTPAuthSettings()
        auth.bearer = Secret("tok3n")
        let failed = try await Self.send([Bench.batch("x")], to: Self.settings(receiver.url) { $0.auth = auth })
        guard case .rejected(let reason) = failed else {
            Issue.record("not rejected: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "http_400")
        #expect(reason.sentence.contains("no"))
        #expect(!reason.sentence.contains("tok3n"))
        #expect(reason.sentence.count < 300)
        #expect(!reason.sentence.unicodeScalars.contains { $0.properties.generalCategory == .control })
        await receiver.stop()
    }

    @Test("A redirect is never followed")
    func redirect() async throws {
        let other = try await HTTPReceiver.start()
        let receiver = try await HTTPReceiver.start(.status(302, headers: [("Location", other.url)]))
        let failed = try await Self.send([Bench.batch("x")], to: Self.settings(receiver.url))
        guard case .misconfigured(let reason) = failed else {
            Issue.record("not misconfigured: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "http_302")
        #expect(reason.sentence.contains("redirect"))
        #expect(other.requests.isEmpty)
        await receiver.stop()
        await other.stop()
    }

    @Test(
        "What is no HTTP, an early end and silence each have their code",
        arguments: [
            ("garbage", "bad_answer"), ("binary", "bad_answer"), ("closes", "connection_closed"),
            ("silent", "request_timeout"),
        ])
    func broken(manner: String, code: String) async throws {
        let answer: HTTPReceiver.Answer =
            switch manner {
            case "garbage": .garbage("SSH-2.0-OpenSSH_9.2p1\r\n")
            case "binary": .garbage("\u{0}\u{1}\u{2}\u{3}\u{4}")
            case "closes": .closes
            default: .silent
            }
        let receiver = try await HTTPReceiver.start(answer)
        let failed = try await Self.send(
            [Bench.batch("x")],
            to: Self.settings(receiver.url) { $0.timeout = manner == "silent" ? .milliseconds(300) : .seconds(20) })
        #expect(failed?.reason.code == code)
        #expect(failed?.isTransient == true)
        await receiver.stop()
    }

    @Test("A port that nobody listens on is refused, a name that does not exist unknown")
    func unreachable() async throws {
        let receiver = try await HTTPReceiver.start()
        let url = receiver.url
        await receiver.stop()
        #expect(try await Self.send([Bench.batch("x")], to: Self.settings(url))?.reason.code == "connect_refused")
        #expect(
            try await Self.send([Bench.batch("x")], to: Self.settings("http://nobody.invalid/"))?.reason.code
                == "dns_failed")
    }

    @Test("An endless answer is not read to its end")
    func longAnswer() async throws {
        let receiver = try await HTTPReceiver.start(.long(50_000_000))
        #expect(try await Self.send([Bench.batch("x")], to: Self.settings(receiver.url)) == nil)
        await receiver.stop()
    }

    @Test(
        "A request that the chain cancels ends at once, without an answer and in the middle of one",
        arguments: [false, true])
    func cancelled(hasHead: Bool) async throws {
        let receiver = try await HTTPReceiver.start(hasHead ? .stalls : .silent)
        let settings = Self.settings(receiver.url)
        let sending = Task { try await Self.send([Bench.batch("x")], to: settings) }
        try await Task.sleep(for: .milliseconds(100))
        sending.cancel()
        #expect(try await sending.value == .cancelled)
        await receiver.stop()
    }

    struct Wrong: Sendable {
        var key: String
        var change: @Sendable (inout HTTPDestination.Settings) -> Void
        init(_ key: String, _ change: @escaping @Sendable (inout HTTPDestination.Settings) -> Void) {
            (self.key, self.change) = (key, change)
        }
    }

    @Test(
        "Settings that cannot work are said with their key",
        arguments: [
            Wrong("headers.Content-Length") { $0.headers = ["Content-Length": "5"] },
            Wrong("headers.X-A") { $0.headers = ["X-A": "a\r\nX-B: b"] },
            Wrong("headers") { $0.headers = ["X A": "a"] },
            Wrong("secret_headers.X-A") { $0.secretHeaders = ["X-A": Secret("a\n")] },
            Wrong("tls") { $0.tls = TLSSettings() },
            Wrong("tls.ca") {
                $0.url = "https://x/"
                $0.tls = TLSSettings()
                $0.tls?.ca = "/does/not/exist"
            },
            Wrong("tls.server_name") {
                $0.url = "https://x/"
                $0.tls = TLSSettings()
                $0.tls?.serverName = "y"
            },
        ])
    func mistakes(wrong: Wrong) {
        let key = wrong.key
        let (plan, problems) = Bench.planned(Self.settings("http://127.0.0.1:1/", wrong.change))
        #expect(plan == nil)
        #expect(problems.map(\.path) == ["destinations.test.\(key)"])
    }

    @Test("Neither settings nor plans show a secret")
    func secrets() {
        var auth = HTTPAuthSettings()
        auth.bearer = Secret("tok3n")
        let settings = Self.settings("http://127.0.0.1:1/?key=qu3ry") {
            $0.auth = auth
            $0.secretHeaders = ["X": Secret("hidd3n")]
        }
        #expect(!"\(settings.plain)".contains("tok3n"))
        #expect(!"\(settings.plain)".contains("hidd3n"))
        let plan = Bench.planned(settings).plan
        #expect(plan?.endpoints.map(\.name) == ["http://127.0.0.1:1/"])
    }
}
