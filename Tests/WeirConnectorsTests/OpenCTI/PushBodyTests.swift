import NIOCore
import Testing

@testable import WeirConnectors

@Suite("A long request")
struct PushBodyTests {
    struct Taken: Equatable {
        var connector: String?
        var bundle = ""
        var ended = false
        var rest = ""
    }

    private func take(_ text: String, pieces size: Int, restMost: Int = 10_000) throws -> Taken {
        var body = PushBody(restMost: restMost, structureMost: 500)
        var taken = Taken()
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            for piece in try body.take(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])) {
                switch piece {
                case .begin(let connector): taken.connector = connector
                case .bytes(let bytes): taken.bundle += String(buffer: bytes)
                case .end: taken.ended = true
                }
            }
        }
        taken.rest = String(buffer: body.rest)
        return taken
    }

    @Test("gives its bundle, wherever it is cut and wherever the rest stands", arguments: [1, 2, 3, 7, 1_000])
    func orders(size: Int) throws {
        let bundle = #"{\"type\": \"bundle\", \"x\": \"\\u00e9 \u00e9\"}"#
        let plain = #"{"type": "bundle", "x": "\u00e9 é"}"#
        let variables = #"{"connectorId": "a\u002d1", "bundle": "\#(bundle)", "work_id": "w"}"#
        let query = #""query": "{ \"bundle\": [] }""#
        for text in [#"{\#(query), "variables": \#(variables)}"#, #"{"variables":\#(variables) , \#(query)}"#] {
            let taken = try take(text, pieces: size)
            #expect(taken.connector == "a-1")
            #expect(taken.bundle == plain)
            #expect(taken.ended)
            #expect(taken.rest == text.replacing("\"\(bundle)\"", with: "null"))
            #expect((try? JSONReader.read(ByteBuffer(string: taken.rest))) != nil)
        }
    }

    @Test(
        "is not taken for a push where `bundle` is something else",
        arguments: [
            #"{"bundle": "x", "variables": {}}"#, #"{"variables": {"a": {"bundle": "x"}}}"#,
            #"{"variables": ["bundle", "x"]}"#, #"{"other": {"connectorId": "a", "bundle": "x"}}"#,
            #"{"variables": {"bundle": 5}}"#, #"{"variables": {"x": "bundle", "y": "z"}}"#,
        ])
    func lookalikes(text: String) throws {
        let taken = try take(text, pieces: 3)
        #expect(taken.connector == nil && taken.bundle.isEmpty && taken.rest == text)
    }

    @Test(
        "is refused when it cannot be one",
        arguments: [
            #"{"variables": {"connectorId": "a", "bundle": "x", "bundle": "y"}}"#,
            #"{"variables": {"connectorId": "a", "bundle": "\x"}}"#,
        ])
    func refusals(text: String) { #expect(throws: GraphProblem.self) { try take(text, pieces: 5) } }

    @Test("may name its connector after the bundle, within limits", arguments: [1, 5, 1_000])
    func early(size: Int) throws {
        let text = #"{"query": "q", "variables": {"bundle": "x\"y", "connectorId": "a", "work_id": "w"}}"#
        let taken = try take(text, pieces: size)
        #expect(taken.connector == "a" && taken.bundle == "x\"y" && taken.ended)
        var body = PushBody(restMost: 1_000, structureMost: 500)
        _ = try body.take(ByteBuffer(string: #"{"variables": {"bundle": ""#))
        let chunk = ByteBuffer(repeating: 0x20, count: PushBody.earlyMost / 4)
        for _ in 0..<4 { _ = try body.take(chunk) }
        #expect(throws: GraphProblem.self) { try body.take(chunk) }
    }

    @Test("is refused when something other than the bundle is long")
    func longRest() {
        let text = #"{"query": ""# + String(repeating: "x", count: 5_000)
        #expect(throws: GraphProblem.self) { try take(text, pieces: 64, restMost: 1_000) }
    }

    @Test("may have a long state, but no long structure, and names of any length")
    func longState() throws {
        let long = String(repeating: "x", count: 5_000)
        let state = #"{"query": "q", "variables": {"id": "a", "\#(long)": 1, "state": "\#(long)"}}"#
        #expect(try take(state, pieces: 64, restMost: 20_000).rest == state)
        let list = #"{"variables": ["# + String(repeating: #""","#, count: 1_000)
        #expect(throws: GraphProblem.self) { try take(list, pieces: 64, restMost: 20_000) }
    }

    @Test("never brings the reader down, whatever bytes come")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        let seed = Array(#"{"query":"a","variables":{"connectorId":"a","bundle":"\u00e9\"x","work_id":null}}"#.utf8)
        for _ in 0..<3_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = Array(#"{}[]",:\u0"#.utf8).randomElement(using: &random) ?? 0
            }
            _ = try? take(String(decoding: bytes, as: UTF8.self), pieces: Int.random(in: 1...9, using: &random))
        }
    }
}
