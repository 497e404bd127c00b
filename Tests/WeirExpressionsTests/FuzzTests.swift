import Testing
import WeirExpressions
import WeirWorld

@Suite("Expressions under fire")
struct FuzzTests {
    private static let pieces = [
        "event", ".a", ".b", "?.", "[", "]", "(", ")", "{", "}", "'x'", "\"y\"", "b'\\xff'", "1", "2u", "3.5", "-", "!",
        "&&", "||", "==", "<",
        "+", "*", "/", "%", "?", ":", ",", "in", "has", "all", "x", "size", "matches", "format", "cel.bind",
        "optional.of", ".?c", "[?0]",
        "timestamp", "duration", "'1h'", "math.greatest", "map", "null", "true", "'''", "r'", "\\", "`", "//", "\n",
        "0x", "1e", "é", "\u{0}",
    ]

    @Test("Any text is read or refused, and what was read is evaluated or fails")
    func anyText() {
        var random = SplitMix(seed: 99)
        var evaluated = 0
        for _ in 0..<6_000 {
            var source = ""
            for _ in 0..<Int.random(in: 1...14, using: &random) {
                source += Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)]
                if Bool.random(using: &random) { source += " " }
            }
            guard let expression = try? Expression(source, environment: .bindings(["event", "x"], checking: .off))
            else { continue }
            evaluated += 1
            _ = try? expression.evaluate(bindings: ["event": .map([.string("a"): .int(1)]), "x": .list([.int(1)])])
                .jsonText
        }
        #expect(evaluated > 100)
    }

    @Test("Random bytes are no expression and no crash")
    func anyBytes() {
        var random = SplitMix(seed: 5)
        for _ in 0..<3_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Expression(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test(
        "Deep nesting is refused, not followed",
        arguments: [
            ("(", "1", ")"), ("[", "1", "]"), ("{1:", "1", "}"), ("-", "x", ""), ("!", "true", ""),
            ("size(", "[]", ")"), ("1+", "1", ""),
            ("true?1:", "1", ""), ("", "x", ".a"), ("", "x", "[0]"), ("[1].map(x,", "1", ")"), ("x.?", "a", ""),
            ("", "'a'", ".trim()"),
        ])
    func deep(opening: String, middle: String, closing: String) {
        for depth in [50, 199, 398, 5_000, 30_000] {
            let source = String(repeating: opening, count: depth) + middle + String(repeating: closing, count: depth)
            if let expression = try? Expression(source, environment: .bindings(["x"], checking: .off)) {
                _ = try? expression.evaluate(bindings: ["x": .map([:])])
            }
        }
    }

    @Test("A million bytes in a field are no trouble")
    func large() throws {
        let long = String(repeating: "abcdefghij", count: 100_000)
        let event = "{\"a\":\"\(long)\",\"b\":1}"
        #expect(try Records.evaluate("size(event.a) == 1000000 && event.b == 1", event) == .bool(true))
        #expect(try Records.evaluate("event.a.endsWith('hij') && event.a.contains('jab')", event) == .bool(true))
        let matcher = try Matcher("event.b == 1 && event.a.contains('jj')")
        #expect(Records.select(matcher, [Array(event.utf8)], .json).selected == [false])
        #expect(throws: ExpressionProblem.self) { try Expression("'\(long)' == ''") }
    }

    @Test("Deep and broken JSON is a failure, not a crash")
    func deepJSON() throws {
        let matcher = try Matcher("event.a == 1")
        let whole = try Matcher("event.exists(k, k == 'a')")
        for text in [
            String(repeating: "{\"a\":", count: 20_000),
            "{\"b\":" + String(repeating: "[", count: 50_000) + String(repeating: "]", count: 50_000) + ",\"a\":1}",
            "{\"a\":1" + String(repeating: "}", count: 1_000), "{\"a\"\"a\":1}", "{:1}", "{\"a\":}", "{\"a\":1}}",
            "{" + String(repeating: "\\", count: 1_000),
        ] {
            let events = [Array(text.utf8)]
            #expect(
                Records.select(matcher, events, .json).matched
                    == (text.hasSuffix(",\"a\":1}")
                        ? 1 : Records.matchOneByOne(matcher, events, .json)[0] == true ? 1 : 0))
            _ = Records.select(whole, events, .json)
        }
    }
}
