import NIOCore
import Testing
import WeirCalls
import WeirConnectors
import WeirGates
import WeirSettings
import WeirWires
import WeirWorld

@Suite("Connectors of type http: what servers answer", .timeLimit(.minutes(2)))
struct HTTPAnswerTests {
    private let stage = ManagedStage("answers")
    private var events: [String] { stage.platform.events }

    // MARK: Packed and otherwise written

    @Test("Packed answers are unpacked, and asked for", arguments: ["gzip", "x-gzip", "deflate", "zstd", "identity"])
    func packed(coding: String) async throws {
        let server = try await TextServer()
        let text = ByteBuffer(string: "[" + (1...500).map { "{\"n\":\($0)}" }.joined(separator: ",") + "]")
        let name = coding == "x-gzip" ? "gzip" : coding
        let body = try ContentCoding(rawValue: name).map { try Compression.encode(text, $0) } ?? text
        try await server.answering({ _ in TextServer.ok(body, "Content-Encoding: \(coding)") }).run {
            try await stage.run(stage.importer(server.url))
        }
        #expect(events == (1...500).map { "{\"n\":\($0)}" })
        #expect(server.requests[0].has("Accept-Encoding: gzip, deflate, zstd"))
    }

    @Test("Packed answers that are damaged, cut, bombs, too large or in another coding fail the run with what they are")
    func badlyPacked() async throws {
        let server = try await TextServer()
        let bomb = try Compression.encode(ByteBuffer(repeating: 0x20, count: 30 << 20), .gzip)
        let large = try Compression.encode(
            ByteBuffer(string: (0..<2_000).map { "{\"n\":\($0 &* 2_654_435_761)}" }.joined(separator: "\n")), .gzip)
        try await server.answering({ request in
            switch request.target {
            case "/bomb": TextServer.ok(bomb, "Content-Encoding: gzip")
            case "/cut": TextServer.ok(large.getSlice(at: 0, length: 300) ?? large, "Content-Encoding: gzip")
            case "/large": TextServer.ok(large, "Content-Encoding: gzip")
            case "/br": TextServer.ok("[]", "Content-Encoding: br")
            default: TextServer.ok("[{}]", "Content-Encoding: gzip")
            }
        }).run {
            for (path, code) in [
                ("/bomb", "compression_bomb"), ("/cut", "invalid_compression"), ("/large", "too_large"),
                ("/br", "unknown_encoding"), ("/plain", "invalid_compression"),
            ] {
                let failure = await stage.failure(
                    of: stage.importer(server.url + path) {
                        $0.format = .ndjson
                        $0.sizeMost = path == "/large" || path == "/cut" ? .kilobytes(10) : .gigabytes(1)
                    })
                #expect(failure?.reason.code == code, "\(path): \(failure?.reason.sentence ?? "")")
            }
        }
    }

    @Test("A text is read in the character set that its mark, its server, itself or the setting says")
    func charsets() async throws {
        let server = try await TextServer()
        let latin = ByteBuffer(bytes: Array("[{\"n\":\"".utf8) + [0xFC, 0x80] + Array("\"}]".utf8))
        let utf16 = ByteBuffer(
            bytes: [0xFF, 0xFE] + "[{\"n\":\"ü€\"}]".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
        let xml = ByteBuffer(
            bytes: Array("<?xml version='1.0' encoding='windows-1252'?><rss><item><n>".utf8) + [0xFC, 0x80]
                + Array("</n></item></rss>".utf8))
        try await server.answering({ request in
            switch request.target {
            case "/latin": TextServer.ok(latin, "Content-Type: application/json; charset=ISO-8859-1")
            case "/utf16": TextServer.ok(utf16, "Content-Type: application/json")
            case "/xml": TextServer.ok(xml, "Content-Type: text/xml")
            case "/koi": TextServer.ok("[]", "Content-Type: text/plain; charset=KOI8-R")
            default: TextServer.ok(latin, "Content-Type: text/plain; charset=utf-8")
            }
        }).run {
            try await stage.run(stage.importer(server.url + "/latin"))
            try await stage.run(stage.importer(server.url + "/utf16"))
            try await stage.run(stage.importer(server.url + "/xml") { $0.format = .rss })
            try await stage.run(stage.importer(server.url + "/wrong") { $0.charset = "latin1" })
            let failure = await stage.failure(of: stage.importer(server.url + "/koi"))
            #expect(failure?.reason.code == "unknown_charset")
            #expect(failure?.reason.sentence.contains("Set `charset` to one of utf-8") == true)
        }
        #expect(events == Array(repeating: "{\"n\":\"ü€\"}", count: 4))
    }

    // MARK: Elsewhere

    @Test("Redirects are followed; another server gets neither credentials nor headers of ours")
    func redirects() async throws {
        let (home, other) = (try await TextServer(), try await TextServer())
        try await other.answering({ _ in TextServer.ok("[{\"n\":1}]", "Link: </more>; rel=next") }).run {
            try await home.answering({ request in
                switch request.target {
                case "/a": TextServer.status(302, "Location: /b")
                case "/b": TextServer.status(308, "Location: \(other.url)/feed?x=1#top")
                default: TextServer.status(500)
                }
            }).run {
                let run = stage.importer(home.url + "/a") {
                    var auth = FeedAuthSettings()
                    auth.plain.bearer = Secret("s3cret")
                    $0.auth = auth
                    $0.headers = ["X-Key": "k"]
                }
                try await stage.run(run)
            }
        }
        #expect(events == ["{\"n\":1}"])
        #expect(home.requests.count == 2 && home.requests.allSatisfy { $0.has("Authorization: Bearer s3cret") })
        #expect(other.requests.map(\.target) == ["/feed?x=1"])
        #expect(!other.requests[0].has("Authorization") && !other.requests[0].has("X-Key"))
    }

    @Test("Redirects that do not end, lead nowhere, or would carry a body elsewhere fail the run")
    func badRedirects() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            switch request.target {
            case "/loop": TextServer.status(301, "Location: /loop")
            case "/bad": TextServer.status(302, "Location: mailto:x@example.com")
            case "/away": TextServer.status(307, "Location: http://127.0.0.1:1/")
            // As an answer to a form: the next one is a GET, without a body.
            case "/form": TextServer.status(303, "Location: /done")
            default: TextServer.ok(request.text.hasPrefix("GET") && request.body.isEmpty ? "[{}]" : "no")
            }
        }).run {
            for (path, code) in [
                ("/loop", "redirect_endless"), ("/bad", "redirect_invalid"), ("/away", "redirect_elsewhere"),
                ("/form", nil),
            ] as [(String, String?)] {
                let failure = await stage.failure(
                    of: stage.importer(server.url + path) { ($0.method, $0.body) = (.post, "{\"q\":1}") })
                #expect(failure?.reason.code == code, "\(failure?.reason.sentence ?? "")")
            }
        }
        #expect(events == ["{}"])
        #expect(server.requests[0].body == "{\"q\":1}")
    }

    // MARK: Again

    @Test("What may pass is tried again within the run, so that a page late in a run is not the end of it")
    func attempts() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            let tries = server.requests.count { $0.target == request.target }
            if request.parameter("page") == "2", tries < 3 { return TextServer.status(503, "Retry-After: 0") }
            return request.parameter("page") == "3" ? TextServer.status(404) : TextServer.ok("[{\"t\":\(tries)}]")
        }).run {
            try await stage.run(
                stage.importer(server.url) {
                    $0.attempts = 3
                    var pagination = PaginationSettings()
                    pagination.type = .page
                    $0.pagination = pagination
                })
        }
        #expect(events == ["{\"t\":1}", "{\"t\":3}"])
        #expect(server.requests.compactMap { $0.parameter("page") } == ["1", "2", "2", "2", "3"])
    }

    @Test("What will not pass is not tried again, nor is a server kept waiting that wants to rest")
    func noAttempts() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            request.target == "/busy" ? TextServer.status(429, "Retry-After: 600") : TextServer.status(404)
        }).run {
            let busy = await stage.failure(of: stage.importer(server.url + "/busy") { $0.attempts = 5 })
            #expect(busy?.retryAfter == .seconds(600))
            #expect(busy?.reason.sentence.contains("it is asked too often. It wants 10m of rest.") == true)
            let gone = await stage.failure(of: stage.importer(server.url + "/gone") { $0.attempts = 5 })
            #expect(gone?.reason.sentence.contains("there is nothing at that address (`url`).") == true)
        }
        #expect(server.requests.count == 2)
    }

    @Test("A server that begins to answer and then says nothing is given up; time at our own gate does not count")
    func silence() async throws {
        let server = try await HalfServer()
        let failure = await stage.failure(of: stage.importer(server.url) { $0.requestTimeout = .seconds(1) })
        #expect(failure?.reason.code == "request_timeout")
        #expect(failure?.reason.sentence.contains("then said nothing for 1s (`request_timeout`)") == true)
        try await server.stop()
    }

    @Test("A server that takes a request and does not answer is given up")
    func noAnswer() async throws {
        let server = try await HalfServer(answer: "")
        let failure = await stage.failure(of: stage.importer(server.url) { $0.requestTimeout = .seconds(1) })
        #expect(failure?.reason.sentence.contains("did not answer within 1s (`request_timeout`)") == true)
        try await server.stop()
    }

    @Test("Pages that are the same again and again are the end, by their number or their offset")
    func samePage() async throws {
        let server = try await TextServer()
        try await server.answering({ _ in TextServer.ok("[{\"n\":1},{\"n\":2}]") }).run {
            for kind in [PaginationSettings.Kind.page, .offset] {
                let failure = await stage.failure(
                    of: stage.importer(server.url) {
                        var pagination = PaginationSettings()
                        pagination.type = kind
                        $0.pagination = pagination
                    })
                #expect(failure?.reason.code == "pagination_endless")
                #expect(failure?.reason.sentence.contains("seems to ignore `\(kind.rawValue)`") == true)
            }
        }
        #expect(server.requests.count == 4)
    }

    // MARK: Who we are

    @Test("A token is fetched with client credentials, kept, and fetched anew when the server refuses it")
    func oauth() async throws {
        let (server, issuer) = (try await TextServer(), try await TextServer())
        try await issuer.answering({ _ in
            TextServer.ok(
                "{\"access_token\":\"t\(issuer.requests.count)\",\"token_type\":\"Bearer\",\"expires_in\":3600}")
        }).run {
            try await server.answering({ request in
                guard request.has("Authorization: Bearer t2") else { return TextServer.status(401) }
                return TextServer.ok(request.parameter("page") == "1" ? "[{}]" : "[]")
            }).run {
                try await stage.run(
                    stage.importer(server.url) {
                        var oauth = FeedAuthSettings.OAuth2()
                        (oauth.tokenURL, oauth.clientID, oauth.clientSecret) = (
                            issuer.url + "/token", "me", Secret("a:b+")
                        )
                        oauth.scope = "read all"
                        var auth = FeedAuthSettings()
                        auth.oauth2 = oauth
                        $0.auth = auth
                        var pagination = PaginationSettings()
                        pagination.type = .page
                        $0.pagination = pagination
                    })
            }
        }
        #expect(events == ["{}"])
        #expect(issuer.requests.count == 2)
        // "me:a%3Ab%2B"
        #expect(issuer.requests[0].has("Authorization: Basic bWU6YSUzQWIlMkI="))
        #expect(issuer.requests[0].body == "grant_type=client_credentials&scope=read%20all")
    }

    @Test("A token that is refused, or none, fails the run without showing the secret")
    func oauthFails() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            request.target == "/no" ? TextServer.ok("{}") : TextServer.status(400, body: "bad client p4ss")
        }).run {
            for (path, text) in [("/no", "without an `access_token`"), ("/wrong", "answered 400: bad client ***")] {
                let failure = await stage.failure(
                    of: stage.importer("http://127.0.0.1:1/") {
                        var oauth = FeedAuthSettings.OAuth2()
                        (oauth.tokenURL, oauth.clientSecret) = (server.url + path, Secret("p4ss"))
                        var auth = FeedAuthSettings()
                        auth.oauth2 = oauth
                        $0.auth = auth
                    })
                #expect(failure?.reason.sentence.contains(text) == true, "\(failure?.reason.sentence ?? "")")
            }
        }
    }
}
