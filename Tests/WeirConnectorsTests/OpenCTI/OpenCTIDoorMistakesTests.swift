import NIOCore
import Synchronization
import Testing
import WeirWorld

@testable import WeirConnectors

/// What clients get wrong, and what they are told: each at the place where it is wrong, in the shape that pycti prints.
@Suite("A mistake at the OpenCTI door")
struct OpenCTIDoorMistakesTests {
    private func request(_ query: String, _ variables: String = "{}") -> ByteBuffer {
        var body = ByteBuffer(string: #"{"query":"#)
        GraphValue.string(query).write(to: &body)
        body.writeString(#","variables":"# + variables + "}")
        return body
    }

    private func told(_ body: ByteBuffer, _ code: String, _ words: String, status: Int = 200) async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let answer = await stage.send([body])
        #expect(answer.status == status && answer.body.contains(words), "\(answer)")
        #expect(answer.body.contains(#""name":"\#(code)""#) && answer.body.contains(#""code":"\#(code)""#))
        #expect(stage.platform.pushed.isEmpty && stage.platform.state.withLock { $0.works.isEmpty })
    }

    @Test(
        "in the request is told",
        arguments: [
            ("", "not JSON"), ("{\"query\":", "not JSON"), ("{\"query\":\"{a}\"}}", "not JSON"),
            ("[{\"query\":\"{ about { version } }\"}]", "Batches are not answered"),
            ("5", "must be a JSON object"), ("{\"query\":null}", "must be a JSON object"),
            ("{\"query\":\"{ about { version } }\",\"variables\":{\"a\":\"\u{7}\"}}", "raw control character"),
            (String(repeating: "[", count: 1_000), "deeper than 64"),
        ])
    func request(text: String, words: String) async throws {
        try await told(ByteBuffer(string: text), "BAD_USER_INPUT", words)
    }

    @Test("in its bytes is told: not UTF-8, in a name, a text and the document")
    func notUTF8() async throws {
        for place in ["\"query\":\"{ a?out }\"", "\"que?ry\":1", "\"variables\":{\"x\":\"?\"}"] {
            var bytes = Array("{\(place)}".utf8)
            bytes = bytes.map { $0 == UInt8(ascii: "?") ? 0xFF : $0 }
            try await told(ByteBuffer(bytes: bytes), "BAD_USER_INPUT", "not UTF-8")
        }
    }

    @Test(
        "in the document is told, before anything is done",
        arguments: [
            ("query { indicators { edges { node { id } } } }", "Weir does not answer `indicators`"),
            ("mutation { stixCoreObjectAdd(input: {}) { id } }", "Weir does not answer `stixCoreObjectAdd`"),
            ("{ __schema { types { name } } }", "Weir does not answer `__schema`"),
            ("{ __type(name: \"Work\") { name } }", "Weir does not answer `__type`"),
            ("subscription { works { edges { node { id } } } }", "not a subscription"),
            ("mutation { workAdd(connectorId: \"a\") { id tail } }", "Cannot query field `tail` on type `Work`"),
        ])
    func document(text: String, words: String) async throws {
        try await told(request(text), "GRAPHQL_VALIDATION_FAILED", words)
    }

    @Test("in its size is told: long, deep, with many parts, aliases, fragments within fragments")
    func cost() async throws {
        let deep = String(repeating: "{ a ", count: 40) + String(repeating: "}", count: 40)
        let aliases = (0..<40).map { "a\($0): about { version }" }.joined(separator: " ")
        let adds = (0..<40).map { "a\($0): workAdd(connectorId: \"a\") { id }" }.joined(separator: " ")
        let parts = String(repeating: "about { version } ", count: 1_500)
        let fragments = (0..<12).map { "fragment f\($0) on Query { ...f\($0 + 1) ...f\($0 + 1) }" }.joined(
            separator: " ")
        let cases = [
            (deep, "deeper than 16"), ("{ \(aliases) }", "more than 32 aliases"),
            ("mutation { \(adds) }", "more than 32 aliases"), ("{ \(parts) }", "more than 2000 parts"),
            ("{ about { version } } # " + String(repeating: "x", count: 70_000), "longer than 65536 bytes"),
            ("{ ...f0 } \(fragments) fragment f12 on Query { about { version } }", "more than 2000 fields"),
        ]
        for (text, words) in cases {
            try await told(request(text), "REQUEST_TOO_LARGE", words, status: 413)
        }
    }

    @Test("in a long answer is told: the fields of all of its objects are counted")
    func longAnswer() async throws {
        let row = GraphObjectType("Row", [.leaf("n") { _ in .whole(1) }])
        let rows = GraphField.object("rows", "Row") { _ in .nodes(Array(repeating: 0, count: 600)) }
        var executor = GraphExecutor(
            schema: GraphSchema([GraphObjectType("Query", [rows]), row]), explain: OpenCTISchema.explain)
        executor.valuesMost = 1_000
        let document = try GraphParser.parse("{ a: rows { n } b: rows { n } }")
        let answer = try await executor.execute(
            document, operationName: nil, variables: .null, request: DoorRequest(deadline: .zero))
        #expect(answer.data?["a"]?.elements?.count == 600 && answer.data?["b"] == .null)
        #expect(answer.problems.map(\.code) == [.tooLarge])
    }

    @Test(
        "in a variable is told",
        arguments: [
            (PyctiRequests.register7, #"{"input":{"id":"","name":"a"}}"#, "set CONNECTOR_ID"),
            (PyctiRequests.ping, #"{"id":"a","connectorInfo":{"next_run_datetime":"soon"}}"#, "must be a time"),
            (PyctiRequests.ping, #"{"id":"a","connectorInfo":{"queue_threshold":"1GB"}}"#, "must be a number of MB"),
            (PyctiRequests.ping, #"{"connectorInfo":{}}"#, "`$id` of type ID! was not given"),
            (PyctiRequests.addExpectations, #"{"id":"w","expectations":"3"}"#, "`$expectations` is no Int"),
            (PyctiRequests.push7, #"{"connectorId":"a","bundle":null}"#, "`$bundle` of type String! must not be null"),
            (PyctiRequests.push7, #"{"connectorId":"a","bundle":{}}"#, "`$bundle` is no String"),
            (PyctiRequests.works, #"{"count":-1}"#, "`first` must not be negative"),
            (PyctiRequests.markings, #"{"after":"x"}"#, "`after` must be a cursor"),
            (
                PyctiRequests.works, #"{"filters":{"filters":[{"key":"status","values":["wait"]}]}}"#,
                "filters by connector_id"
            ),
        ])
    func variable(query: String, variables: String, words: String) async throws {
        try await told(request(query, variables), "BAD_USER_INPUT", words)
    }

    @Test("in the length of an id is told at the registration, because a routing key has 255 bytes at most")
    func longID() async throws {
        let stage = DoorStage()
        for (length, isTaken) in [(240, true), (241, false)] {
            let id = String(repeating: "x", count: length)
            let answer = await stage.ask(PyctiRequests.register7, PyctiRequests.input7(id))
            #expect(answer.contains("1 to 240 bytes") != isTaken, "\(answer)")
            #expect(ConnectorTopology(id).listenRouting.utf8.count <= 255 || !isTaken)
        }
    }

    @Test("of a stranger is told at once, and nothing of the request is read")
    func stranger() async {
        let stage = DoorStage()
        let unread = AsyncThrowingStream<ByteBuffer, any Error> { _ in }
        let answer = await stage.door.answer(method: "POST", header: { _ in nil }, body: unread)
        #expect(answer.status == 401)
    }
}

@Suite("Lists at the OpenCTI door")
struct OpenCTIDoorListTests {
    @Test("come page by page: each element once, and the last page says that it is")
    func pages() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        for _ in 0..<7 { _ = await stage.ask(PyctiRequests.workAdd7, #"{"connectorId":"a"}"#) }
        let query = """
            query W($after: ID) { works(first: 3, after: $after) {
                edges { node { id } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage globalCount } } }
            """
        var (cursor, seen, pages) = ("", [String](), [String]())
        repeat {
            let answer = await stage.ask(query, #"{"after":"\#(cursor)"}"#)
            let works = try #require(try JSONReader.read(ByteBuffer(string: answer))["data"]?["works"])
            seen += works["edges"]?.elements?.compactMap { $0["node"]?["id"]?.text } ?? []
            let page = try #require(works["pageInfo"])
            pages.append(String(buffer: page.json))
            cursor = page["hasNextPage"]?.flag == true ? page["endCursor"]?.text ?? "" : ""
        } while !cursor.isEmpty && pages.count < 10
        #expect(seen == (0..<7).reversed().map { "work_a_\($0)" })
        #expect(
            pages == [
                #"{"startCursor":"1","endCursor":"3","hasNextPage":true,"hasPreviousPage":false,"globalCount":null}"#,
                #"{"startCursor":"4","endCursor":"6","hasNextPage":true,"hasPreviousPage":true,"globalCount":null}"#,
                #"{"startCursor":"7","endCursor":"7","hasNextPage":false,"hasPreviousPage":true,"globalCount":7}"#,
            ])
        let markings = await stage.ask(PyctiRequests.markings, #"{"first":2,"after":"2"}"#)
        #expect(
            markings.contains(
                #""startCursor":"3","endCursor":"4","hasNextPage":true,"hasPreviousPage":true,"globalCount":5"#))
        let beyond = await stage.ask(PyctiRequests.markings, #"{"after":"5"}"#)
        #expect(beyond.contains(#""edges":[],"pageInfo":{"startCursor":"","endCursor":"","hasNextPage":false"#))
    }
}
