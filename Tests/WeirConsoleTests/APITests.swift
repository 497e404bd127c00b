import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Synchronization
import Testing
import WeirGates
import WeirNode

@testable import WeirConsole

@Suite("The API")
struct APITests {
    let node = FakeNode.busy()

    private func ask(
        _ uri: String, _ method: HTTPRequest.Method = .get, _ headers: HTTPFields = [:], node: FakeNode? = nil
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        let node = node ?? self.node
        let server = try ConsoleServer(node: node, listen: "127.0.0.1:0", world: node.world)
        return try await server.application.test(.router) { client in
            try await client.execute(uri: uri, method: method, headers: headers) { response in
                (response.status.code, response.headers, String(buffer: response.body))
            }
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ body: String) throws -> Value {
        try JSONText.decode(type, from: Data(body.utf8))
    }

    @Test("One gate, as it is written: the keys are a contract")
    func gate() async throws {
        let body = try await ask("/api/v1/gates/relay").body
        #expect(
            body == #"""
                {"counters":{"attempts":0,"blocked_seconds":0,"dead_lettered_events":0,"delivered_bytes":0,\#
                "delivered_events":300,"dropped_events":{},"failures":{},"held_events":1000,\#
                "recovered_events":0,"taken_bytes":0,"taken_events":1300,"transitions":{},\#
                "unaccounted_events":0},"details":[],"forecast":{},"history":[],"id":"relay","kind":"stream",\#
                "level":5,"level_ratio":1,"limit":{"amount":5,"origin":"weir.yaml:22","unit":"requests"},\#
                "rates":{"in_events_per_second":0,"out_events_per_second":0},"reason":{"code":"in_flight_limit",\#
                "runbook":"docs/runbooks/blocking.md","sentence":"5 of 5 requests are in flight."},\#
                "receiver":"10.0.0.7:9000",\#
                "reopens":"when a request ends","senders":["ingest"],"since":"2026-11-21T14:29:51.000Z",\#
                "since_seconds":9,"state":"blocking"}

                """#)
    }

    @Test("Reason codes keep their spelling on the way out and back")
    func codes() async throws {
        let view = try decode(GateView.self, try await ask("/api/v1/gates/siem").body)
        #expect(view.counters.failures == ["http_503": 12, "request_timeout": 1])
        #expect(view.queue?.maxBytes == 5_000_000_000)
        #expect(
            view
                == {
                    var view = GateView(.siem, at: FakeTime.start)
                    view.history = []
                    return view
                }())
    }

    @Test("Gates come most pressed first, and the other lists in their order")
    func lists() async throws {
        #expect(
            try decode([GateView].self, try await ask("/api/v1/gates").body).map(\.id) == [
                "relay", "mirror", "siem", "archive",
            ])
        #expect(try decode([SourceView].self, try await ask("/api/v1/sources").body).map(\.name) == ["edge", "ingest"])
        let destinations = try decode([DestinationView].self, try await ask("/api/v1/destinations").body)
        #expect(destinations.map(\.endpoints.count) == [2, 0])
        #expect(try decode([RouteView].self, try await ask("/api/v1/routes").body).map(\.final) == [true, true])
        #expect(
            try decode([StoredQueueView].self, try await ask("/api/v1/queues").body).first?.queue.oldestSeconds == 131)
        #expect(try decode(HealthView.self, try await ask("/api/v1/health").body).ready)
    }

    @Test("A gate that does not exist is 404 and names the nearest")
    func unknown() async throws {
        let answer = try await ask("/api/v1/gates/simm")
        #expect(answer.status == 404)
        let problem = try decode(APIProblem.self, answer.body)
        #expect(problem.code == "unknown_gate")
        #expect(problem.help == "Did you mean \"siem\"?")
        #expect(try await ask("/api/v1/nothing").status == 404)
        #expect(try decode(APIProblem.self, try await ask("/api/v1/nothing").body).code == "no_such_page")
    }

    @Test("Hold and release reach the gate, and answer with it")
    func orders() async throws {
        #expect(try await ask("/api/v1/gates/relay/hold", .post).status == 200)
        #expect(try await ask("/api/v1/gates/relay/release", .post).status == 200)
        #expect(node.orders == ["hold relay by api", "release relay by api"])
        #expect(try await ask("/api/v1/gates/nope/hold", .post).status == 404)
    }

    @Test("An orphaned queue is drained through a destination's gate: once, and no other queue")
    func drain() async throws {
        let answer = try await ask("/api/v1/queues/old/drain/archive", .post)
        #expect(answer.status == 200)
        #expect(try decode(StoredQueueView.self, answer.body).drainsTo == "archive")
        let codes = [
            ("/api/v1/queues/old/drain/archive", 409, "drains_already"),
            ("/api/v1/queues/siem/drain/archive", 409, "not_an_orphan"),
            ("/api/v1/queues/odl/drain/archive", 404, "unknown_queue"),
            ("/api/v1/queues/old/drain/archiv", 404, "unknown_destination"),
        ]
        for (uri, status, code) in codes {
            let refused = try await ask(uri, .post)
            #expect(refused.status == status)
            #expect(try decode(APIProblem.self, refused.body).code == code)
        }
    }

    @Test("The page offers to drain an orphaned queue")
    func drainByButton() async throws {
        #expect(try await ask("/").body.contains(#"action="/queues/old/drain/siem""#))
        #expect(try await ask("/queues/old/drain/siem", .post).status == 303)
        let page = try await ask("/").body
        #expect(page.contains("It drains through the gate siem."))
        #expect(!page.contains(#"action="/queues/old"#))
    }

    @Test(
        "A GET never changes anything",
        arguments: ["/api/v1/gates/relay/hold", "/gates/relay/hold", "/gates/relay/release"])
    func noUnsafeGet(uri: String) async throws {
        let answer = try await ask(uri)
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == "POST")
        #expect(node.orders.isEmpty)
    }

    @Test(
        "A wrong method on a known path is 405 and says which are right",
        arguments: [
            ("/api/v1/gates", "DELETE", "GET, HEAD"), ("/api/v1/gates/siem", "POST", "GET, HEAD"),
            ("/", "PUT", "GET, HEAD"),
            ("/livez", "OPTIONS", "GET, HEAD"), ("/api/v1/dead-letters/siem/replay", "PATCH", "POST"),
        ])
    func wrongMethod(uri: String, method: String, allowed: String) async throws {
        let answer = try await ask(uri, try #require(HTTPRequest.Method(method)))
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == allowed)
        let problem = try decode(APIProblem.self, answer.body)
        #expect(problem.code == "method_not_allowed")
        #expect(problem.help == "Use \(allowed).")
    }

    @Test(
        "HEAD answers as GET does, without the body",
        arguments: ["/", "/livez", "/metrics", "/api/v1/gates", "/api/v1/gates/nope", "/api/v1/events", "/nothing"])
    func head(uri: String) async throws {
        let (head, get) = (try await ask(uri, .head), try await ask(uri))
        #expect(head.status == get.status)
        #expect(head.headers[.contentType] == get.headers[.contentType])
        #expect(head.body.isEmpty)
    }

    @Test("The console's buttons give orders and lead back")
    func buttons() async throws {
        let answer = try await ask("/gates/relay/hold", .post)
        #expect(answer.status == 303)
        #expect(answer.headers[.location] == "/")
        #expect(try await ask("/gates/relay/release?from=gate", .post).headers[.location] == "/gates/relay")
        #expect(node.orders == ["hold relay by console", "release relay by console"])
        #expect(try await ask("/gates/nope/hold", .post).status == 404)
    }

    @Test(
        "Another site's page may not give orders",
        arguments: [
            ["Origin": "http://evil.example"], ["Origin": "null"], ["Sec-Fetch-Site": "cross-site"],
            ["Sec-Fetch-Site": "same-site"],
            ["Origin": "https://localhost"], ["Origin": "http://localhost:8080"],
        ])
    func crossOrigin(headers: [String: String]) async throws {
        var fields = HTTPFields()
        for (name, value) in headers { fields[try #require(HTTPField.Name(name))] = value }
        for uri in ["/api/v1/gates/relay/hold", "/gates/relay/release", "/api/v1/dead-letters/siem/replay"] {
            let answer = try await ask(uri, .post, fields)
            #expect(answer.status == 403)
            #expect(try decode(APIProblem.self, answer.body).code == "cross_origin")
        }
        #expect(node.orders.isEmpty)
        let own = HTTPFields([
            HTTPField(name: .origin, value: "http://localhost"), HTTPField(name: .secFetchSite, value: "same-origin"),
        ])
        #expect(try await ask("/api/v1/gates/relay/hold", .post, own).status == 200)
    }

    @Test(
        "A name that was rebound to this machine is refused",
        arguments: [
            ("localhost", true), ("localhost:9471", true), ("127.0.0.1:9471", true), ("[::1]:9471", true),
            ("LOCALHOST", true),
            ("evil.example", false), ("127.0.0.1.evil.example:9471", false), ("localhost.evil.example", false),
            ("0.0.0.0:9471", false),
            ("[::1", false), ("localhost:x", false), ("a:b:c", false), ("", false),
        ])
    func hosts(authority: String, isWelcome: Bool) {
        let host = RequestGuard<BasicRequestContext>.host(of: authority)
        #expect((host.map(APIAddress.isLoopback) ?? false) == isWelcome)
    }

    @Test("A tap shows events as text, or as base64 where they are none")
    func tap() async throws {
        let lines = try await ask("/api/v1/taps/edge?limit=5&duration=1").body.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        let first = try decode(TapView.self, lines[0])
        #expect(first.content == "<13>hello \u{1B}[31mred")
        #expect(lines[0].contains(#"\u001b[31m"#))
        let second = try decode(TapView.self, lines[1])
        #expect(second.contentBase64 == "/0E=")
        #expect(second.skipped == 7)
        #expect(try await ask("/api/v1/taps/edge?limit=1").body.split(separator: "\n").count == 1)
    }

    @Test(
        "A parameter out of its range is refused by name",
        arguments: ["limit=0", "limit=x", "limit=10001", "duration=601", "limit="])
    func parameters(query: String) async throws {
        let answer = try await ask("/api/v1/taps/edge?\(query)")
        #expect(answer.status == 400)
        #expect(try decode(APIProblem.self, answer.body).code == "bad_parameter")
    }

    @Test("Dead letters are listed and sent again; what fails is said")
    func deadLetters() async throws {
        let letters = try decode([DeadLetterAPIView].self, try await ask("/api/v1/dead-letters/siem").body)
        #expect(letters.first?.content == #"{"a":1}"#)
        #expect(letters.first?.reason.code == "http_400")
        #expect(try await ask("/api/v1/dead-letters/siem/replay", .post).body == "{\"events\":1}\n")
        node.contents.withLock { $0.letters = [] }
        #expect(try await ask("/api/v1/dead-letters/siem/replay", .post).status == 503)
        #expect(try await ask("/api/v1/dead-letters/nope").status == 404)
    }

    @Test("Readings come as server-sent events")
    func events() async throws {
        let answer = try await ask("/api/v1/events")
        #expect(answer.headers[.contentType] == "text/event-stream")
        let lines = answer.body.split(separator: "\n").map(String.init)
        #expect(lines.first == "retry: 2000")
        #expect(lines[1] == "event: readings")
        let readings = try decode(ReadingsView.self, String(lines[2].dropFirst("data: ".count)))
        #expect(readings.gates.count == 4)
        #expect(readings.sources.count == 2)
    }

    @Test("Streams are bounded, and a place is given back once")
    func streams() throws {
        let limit = StreamLimit(capacity: 2)
        let first = try limit.enter()
        let second = try limit.enter()
        #expect(throws: APIProblem.self) { try limit.enter() }
        first.leave()
        first.leave()
        let third = try limit.enter()
        #expect(throws: APIProblem.self) { try limit.enter() }
        withExtendedLifetime((second, third)) {}
    }

    @Test("Names with every kind of character are found by their path", arguments: FakeNode.hostileTexts)
    func names(text: String) async throws {
        let hostile = FakeNode.hostile()
        let path = PathSegment.encode(text)
        #expect(PathSegment.decode(path) == text)
        let answer = try await ask("/api/v1/gates/\(path)", node: hostile)
        #expect(try decode(GateView.self, answer.body).id == text)
        #expect(try await ask("/gates/\(path)", node: hostile).status == 200)
    }

    @Test("What is not percent-encoded UTF-8 is no name", arguments: ["%", "%4", "%zz", "%ff"])
    func badNames(text: String) { #expect(PathSegment.decode(text) == nil) }

    // MARK: The document

    private var table: [Endpoint] {
        APIEndpoints(observatory: Observatory(node: node), streams: StreamLimit(capacity: 1)).all
    }

    @Test("Every route of the API is in the document, with its parameters")
    func document() async throws {
        let body = try await ask("/api/v1/openapi.json").body
        let tree = try Tree(Data(body.utf8))
        for endpoint in table {
            let operation = tree[key: "paths"]?[key: endpoint.path]?[key: endpoint.method.rawValue.lowercased()]
            #expect(operation?[key: "operationId"]?.text == endpoint.operation, "\(endpoint.path)")
        }
        guard case .object(let paths) = tree[key: "paths"] else { return #expect(Bool(false), "no paths") }
        #expect(paths.count == Set(table.map(\.path)).count)
    }

    @Test("The document describes exactly the keys that are written")
    func schemas() throws {
        guard case .object(_, let properties) = Schema(GateView.self) else {
            return #expect(Bool(false), "not an object")
        }
        var full = GateView(.siem, at: FakeTime.start)
        full.history = []
        guard case .object(let written) = try Tree(Data(JSONText.encode(full).utf8)) else {
            return #expect(Bool(false))
        }
        #expect(Set(properties.map(\.name)) == Set(written.keys))
        #expect(
            properties.filter { !$0.isRequired }.map(\.name) == ["level", "level_ratio", "queue", "latency", "history"])
        let letters = Schema(TapView.self)
        guard case .object("Tap", let tap) = letters else { return #expect(Bool(false), "\(letters)") }
        #expect(tap.contains { $0.name == "content_base64" && $0.schema == .string && !$0.isRequired })
    }

    private static let hasValidator =
        (try? run("python3", ["-c", "import openapi_spec_validator"], input: "").status) == 0

    @Test(
        "An independent validator accepts the document",
        .enabled(if: hasValidator, "SKIPPED: pip install openapi-spec-validator"))
    func validator() async throws {
        let body = try await ask("/api/v1/openapi.json").body
        let script = """
            import json, sys
            from openapi_spec_validator import validate
            validate(json.load(sys.stdin))
            """
        let result = try Self.run("python3", ["-c", script], input: body)
        #expect(result.status == 0, "\(result.output)")
    }

    private static func run(_ program: String, _ arguments: [String], input: String) throws -> (
        status: Int32, output: String
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let (stdin, stdout) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (stdin, stdout, stdout)
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let said = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}
