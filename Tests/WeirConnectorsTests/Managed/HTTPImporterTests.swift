import NIOCore
import Synchronization
import Testing
import WeirCalls
import WeirConnectors
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@Suite("Connectors of type http", .timeLimit(.minutes(5)))
struct HTTPImporterTests {
    private let stage = ManagedStage("http")

    private func importer(_ url: String, _ change: (inout HTTPConnectorSettings) -> Void = { _ in }) -> HTTPImporter {
        stage.importer(url, change)
    }

    private var events: [String] { stage.platform.events }

    @Test("The items of a document become events on one line each, as they were written")
    func items() async throws {
        let server = try await TextServer()
        let body =
            "{\"title\": \"t\", \"data\": {\"list\": [ {\"a\": \"x\\ny\",\n  \"b\": [1, {\"c\":2}]}, "
            + "{\"a\": 2} ]}, \"n\": 2}"
        try await server.answering({ _ in TextServer.ok(body) }).run {
            try await stage.run(importer("\(server.url)/feed") { $0.items = "data.list" })
        }
        #expect(events == ["{\"a\": \"x\\ny\",  \"b\": [1, {\"c\":2}]}", "{\"a\": 2}"])
    }

    @Test("Credentials and headers are sent, and a secret that the server repeats is not shown")
    func authorization() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            request.has("Authorization: Basic dTpwdw==") && request.has("X-Extra: 1") && request.has("X-Key: k3y")
                ? TextServer.status(403, body: "pw and k3y are wrong") : TextServer.ok("{}")
        }).run {
            let failure = await stage.failure(
                of: importer(server.url) {
                    var auth = FeedAuthSettings()
                    var basic = HTTPAuthSettings.Basic()
                    (basic.user, basic.password) = ("u", Secret("pw"))
                    var header = FeedAuthSettings.Header()
                    (header.name, header.value) = ("X-Key", Secret("k3y"))
                    (auth.plain.basic, auth.header) = (basic, header)
                    $0.auth = auth
                    $0.headers = ["X-Extra": "1"]
                })
            #expect(failure?.reason.code == "http_403")
            #expect(failure?.reason.sentence.contains("*** and *** are wrong") == true)
        }
    }

    @Test("A second run asks whether anything changed; a 304 is a good run with nothing new")
    func conditional() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            request.has("If-None-Match: \"v1\"")
                ? TextServer.status(304)
                : TextServer.ok("[{\"n\":1}]", "ETag: \"v1\"", "Last-Modified: Sat, 21 Nov 2026 10:00:00 GMT")
        }).run {
            try await stage.run(importer(server.url))
            try await stage.run(importer(server.url))
        }
        #expect(events == ["{\"n\":1}"])
        #expect(server.requests.last?.has("If-Modified-Since: Sat, 21 Nov 2026 10:00:00 GMT") == true)
        #expect(stage.platform.state.withLock { $0.ends.count } == 2)
    }

    @Test("429 and 503 fail the run with the wait that the server asks for; others with what it says")
    func statuses() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            switch request.target {
            case "/429": TextServer.status(429, "Retry-After: 3600")
            case "/503": TextServer.status(503, "Retry-After: soon", body: "come back")
            case "/301": TextServer.status(308, "Retry-After: 1")
            default: TextServer.status(500, body: "broken\r\n\u{1}thing")
            }
        }).run {
            let busy = await stage.failure(of: importer(server.url + "/429"))
            #expect(busy?.reason.code == "http_429" && busy?.retryAfter == .seconds(3_600))
            let away = await stage.failure(of: importer(server.url + "/503"))
            #expect(away?.retryAfter == nil && away?.reason.sentence.hasSuffix("answered 503: come back.") == true)
            let broken = await stage.failure(of: importer(server.url + "/500?key=hidden"))
            #expect(broken?.reason.sentence == "\(server.url)/500 answered 500: broken thing.")
        }
        let nobody = try RefusingPort()
        let gone = await stage.failure(of: importer("http://127.0.0.1:\(nobody.port)"))
        #expect(gone?.reason.code == "connect_refused")
        withExtendedLifetime(nobody) {}
        #expect(stage.platform.works.isEmpty)
    }

    private static func page(_ request: TextServer.Request, _ name: String, last: Int) -> String {
        let page = Int(request.parameter(name) ?? "") ?? 0
        return page <= last ? "[{\"p\":\(page)},{\"q\":\(page)}]" : "[]"
    }

    @Test("Pages are followed by number until one is empty")
    func pages() async throws {
        let server = try await TextServer()
        try await server.answering({ TextServer.ok(Self.page($0, "page", last: 3)) }).run {
            try await stage.run(
                importer(server.url + "/?a=b%20c") {
                    var pagination = PaginationSettings()
                    (pagination.type, pagination.sizeParameter, pagination.size) = (.page, "limit", 2)
                    $0.pagination = pagination
                })
        }
        #expect(events.count == 6)
        #expect(server.requests.map(\.target).last == "/?a=b%20c&limit=2&page=4")
    }

    @Test("Pages are followed by offset, by what came")
    func offsets() async throws {
        let server = try await TextServer()
        try await server.answering({ TextServer.ok(Self.page($0, "skip", last: 5)) }).run {
            try await stage.run(
                importer(server.url) {
                    var pagination = PaginationSettings()
                    (pagination.type, pagination.parameter) = (.offset, "skip")
                    $0.pagination = pagination
                })
        }
        #expect(server.requests.compactMap { $0.parameter("skip") } == ["0", "2", "4", "6"])
    }

    @Test("Pages are followed by a cursor in the answer, and by the Link header")
    func cursors() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            if request.target.hasPrefix("/link") {
                let isLast = request.target.contains("n=2")
                return TextServer.ok(
                    "[{\"l\":1}]",
                    isLast
                        ? "X: y"
                        : "Link: </link?n=1, x>; rel=\"prev\", <\(server.url)/link?n=2>; "
                            + "title=\"a, b\"; rel=\"next last\""
                )
            }
            let next =
                request.parameter("cursor") == nil
                ? "\"a+b/c&d\"" : request.parameter("cursor") == "a%2Bb%2Fc%26d" ? "7" : "null"
            return TextServer.ok("{\"rows\":[{\"c\":1}],\"meta\":{\"next\":\(next)}}")
        }).run {
            try await stage.run(
                importer(server.url) {
                    var pagination = PaginationSettings()
                    (pagination.type, pagination.next) = (.cursor, "meta.next")
                    $0.pagination = pagination
                    $0.items = "rows"
                })
            #expect(events.count == 3)
            try await stage.run(importer(server.url + "/link") { $0.pagination = PaginationSettings() })
            #expect(events.count == 5)
        }
    }

    @Test("Pagination that does not end fails the run, and another server is not followed")
    func endless() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            switch request.target.prefix(5) {
            case "/same": TextServer.ok("{\"next\":\"/same\",\"i\":[]}")
            case "/else": TextServer.ok("{\"next\":\"http://127.0.0.1:1/x\",\"i\":[]}")
            default: TextServer.ok("[{\"n\":1}]")
            }
        }).run {
            func failure(_ path: String, _ kind: PaginationSettings.Kind) async -> String? {
                await stage.failure(
                    of: importer(server.url + path) {
                        var pagination = PaginationSettings()
                        (pagination.type, pagination.pagesMost) = (kind, 5)
                        if kind == .cursor {
                            pagination.next = "next"
                            $0.items = "i"
                        }
                        $0.pagination = pagination
                    })?.reason.code
            }
            #expect(await failure("/many", .page) == "pagination_endless")
            #expect(await failure("/same", .cursor) == "pagination_endless")
            #expect(await failure("/else", .cursor) == "pagination_elsewhere")
        }
    }

    @Test("What was seen is remembered by expression, asked for, and left out")
    func incremental() async throws {
        let server = try await TextServer()
        let body = "{\"v\":[{\"id\":1,\"t\":\"a\"},{\"id\":2,\"t\":\"b\"},{\"id\":3,\"t\":\"c\"}]}"
        let run = { (url: String) in
            importer(url) {
                $0.items = "v"
                $0.conditional = false
                $0.query = ["since": "has(state.since) ? state.since : '0'"]
                $0.only = "!has(state.since) || event.t > state.since"
                $0.state = "{'since': event.t}"
            }
        }
        try await server.answering({ request in
            request.parameter("since") == "0"
                ? TextServer.ok(body.replacing(",{\"id\":3,\"t\":\"c\"}", with: "")) : TextServer.ok(body)
        }).run {
            try await stage.run(run(server.url))
            #expect(stage.platform.connectorState == "{\"state\":{\"since\":\"b\"}}")
            try await stage.run(run(server.url))
        }
        #expect(server.requests.map { $0.parameter("since") } == ["0", "b"])
        #expect(events.count == 3 && events.last == "{\"id\":3,\"t\":\"c\"}")
    }

    @Test("An expression that does not fit an event fails the run; nothing is remembered")
    func expressionFails() async throws {
        let server = try await TextServer()
        try await server.answering({ _ in TextServer.ok("[{\"a\":1}]") }).run {
            let failure = await stage.failure(of: importer(server.url) { $0.only = "event.missing > 1" })
            #expect(failure?.reason.code == "expression_failed")
        }
        #expect(stage.platform.connectorState == nil && events.isEmpty)
    }

    @Test("A body that is too large, or no JSON, or without its items fails the run with what was wrong")
    func badBodies() async throws {
        let server = try await TextServer()
        let cases: [(String, String)] = [
            ("{\"v\":[{\"a\":1}", "invalid_json"), ("<html>", "invalid_json"), ("{\"w\":[]}", "no_items"),
            ("{\"v\":[1]}", "no_object"), ("{\"v\":\"x\"}", "no_items"), ("", "invalid_json"),
            ("{\"v\":[{\"a\":\"" + String(repeating: "x", count: 5_000) + "\"}]}", "object_too_large"),
        ]
        try await server.answering({ TextServer.ok(cases[Int($0.target.dropFirst()) ?? 0].0) }).run {
            for (number, (body, code)) in cases.enumerated() {
                let failure = await stage.failure(
                    of: importer("\(server.url)/\(number)") {
                        $0.items = "v"
                        $0.itemMost = .kibibytes(4)
                    })
                #expect(failure?.reason.code == code, "\(body.prefix(30))")
            }
        }
    }

    @Test("A server that says nothing, or never ends, is given up")
    func silence() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            ByteBuffer(string: request.target == "/half" ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{}" : "")
        }).run {
            let half = await stage.failure(of: importer(server.url + "/half"))
            #expect(half?.reason.code == "connection_closed")
        }
    }

    @Test("A file is read, and not again until it changes")
    func files() async throws {
        let path = stage.directory + ".json"
        let file = try stage.means.world.files.open(path, .write(create: true, exclusive: true))
        defer { try? stage.means.world.files.remove(path) }
        try Array("{\"vulnerabilities\":[{\"cveID\":\"CVE-1\"},{\"cveID\":\"CVE-2\"}]}".utf8).withUnsafeBytes {
            try file.write([$0], at: 0)
        }
        file.close()
        let run = importer("file:\(path)") { $0.items = "vulnerabilities" }
        try await stage.run(run)
        try await stage.run(run)
        #expect(events == ["{\"cveID\":\"CVE-1\"}", "{\"cveID\":\"CVE-2\"}"])
        #expect(await stage.failure(of: importer("file:/nowhere/at/all"))?.reason.code == "not_found")
    }

    @Test("NDJSON, CSV and feeds are read from answers")
    func formats() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            switch request.target {
            case "/ndjson": TextServer.ok("{\"a\":1}\r\n\n{\"a\":2}")
            case "/csv": TextServer.ok("# comment\nid,text\n1,\"a \"\"b\"\", c\"\n2,\n")
            default: TextServer.ok("<rss><channel><item><title>A &amp; B</title></item></channel></rss>")
            }
        }).run {
            try await stage.run(importer(server.url + "/ndjson") { $0.format = .ndjson })
            try await stage.run(importer(server.url + "/csv") { $0.format = .csv })
            try await stage.run(importer(server.url + "/rss") { $0.format = .rss })
        }
        #expect(
            events == [
                "{\"a\":1}", "{\"a\":2}", "{\"id\":\"1\",\"text\":\"a \\\"b\\\", c\"}", "{\"id\":\"2\",\"text\":\"\"}",
                "{\"title\":\"A & B\"}",
            ])
    }

    @Test(
        "Settings say what is wrong with them",
        arguments: [
            ("url", "ftp://x", "must be a URL"), ("url", "http://u:p@x/", "user or password"),
            ("only", "event.", "cannot be read"), ("items", "a", "is for `format: json`"),
            ("body", "{}", "a GET has no `body`"),
        ])
    func settings(key: String, text: String, message: String) {
        var problems: [SettingProblem] = []
        var pairs: [(String, SettingNode)] = [(key, .text(text))]
        if key != "url" { pairs.append(("url", .text("http://x/"))) }
        if key == "items" { pairs.append(("format", .text("csv"))) }
        let node = SettingNode(.map(pairs.map { SettingEntry(key: $0.0, value: $0.1) }))
        _ = HTTPConnectorSettings.read(from: node, path: "c", problems: &problems)
        #expect(problems.first?.message.contains(message) == true)
    }
}
