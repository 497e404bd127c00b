import Testing

@testable import WeirConnectors

@Suite("GraphQL documents")
struct GraphQLTests {
    private func tokens(_ text: String) throws -> [GraphLexer.Token] {
        var lexer = GraphLexer(text)
        var tokens: [GraphLexer.Token] = []
        while true {
            let next = try lexer.next().token
            if next == .end { return tokens }
            tokens.append(next)
        }
    }

    @Test(
        "are cut into tokens",
        arguments: [
            ("a, b # no\n c", [.name("a"), .name("b"), .name("c")]),
            ("-1 0 1.5 1e3", [.int("-1"), .int("0"), .float("1.5"), .float("1e3")]),
            (#""a\"\\\u0041\n""#, [.string("a\"\\A\n")]),
            (#""\uD83D\uDE00""#, [.string("😀")]),
            ("\"\"\"\n    a\n      b\n\n    \"\"\"", [.string("a\n  b")]),
            (#""""say \""" twice""""#, [.string(#"say """ twice"#)]),
            ("\u{FEFF}{...}", [.punctuator("{"), .punctuator("..."), .punctuator("}")]),
        ] as [(String, [GraphLexer.Token])])
    func lexer(text: String, tokens: [GraphLexer.Token]) throws { #expect(try self.tokens(text) == tokens) }

    @Test(
        "that are wrong are refused with what is wrong and where",
        arguments: [
            ("", 1, "no operation"), ("{", 1, "the end of the document"), ("{ a", 1, "the end"), ("query {}", 1, "`}`"),
            ("{ a(x: ) }", 1, "`)`"), ("{ a }\n{ b }", 1, "several operations"), ("{ a \n ? }", 2, "`?`"),
            (#"{ a(x: "open) }"#, 1, "has no end"), ("{ a(x: 01) }", 1, "no number"), ("type A { b: C }", 1, "`type`"),
            ("query($a: ) { a }", 1, "a name"), ("query($a: Int = $b) { a }", 1, "`$`"),
            ("fragment on on A { b }", 1, "`on`"), (#"{ a(x: "\q") }"#, 1, "escape"),
            ("fragment a on A { b } fragment a on A { b } { b }", 1, "two fragments"),
        ])
    func refusals(text: String, line: Int, wanted: String) {
        do throws(GraphProblem) {
            _ = try GraphParser.parse(text).operation(named: nil)
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.message.contains(wanted), "\(error.message)")
            #expect((error.location?.line ?? line) == line)
        }
    }

    @Test("keep their limits: length, depth, parts, aliases")
    func limits() {
        let deep = String(repeating: "{ a ", count: 40) + String(repeating: "}", count: 40)
        let aliases = "{ " + (0..<40).map { "a\($0): about { version }" }.joined(separator: " ") + " }"
        let brackets = "{ a(x: " + String(repeating: "[", count: 5_000) + ") }"
        let many = "{ " + String(repeating: "a ", count: 3_000) + "}"
        let types = "query($a: " + String(repeating: "[", count: 5_000) + "A) { a }"
        for text in [deep, aliases, brackets, many, types, String(repeating: " ", count: 70_000)] {
            #expect(throws: GraphProblem.self) { try GraphParser.parse(text) }
        }
    }

    @Test("never bring the parser down, whatever bytes come")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        let seeds = [
            #"query A($a: [Int!]! = [1], $b: X = {c: "d"}) @include(if: $a) { e: f(g: -1.5e3, h: """i""") { ...j } }"#,
            #"fragment j on K { ... on L { m } ... @skip(if: true) { n } }"#,
        ]
        let pool = Array(#"{}()[]!:=@$...""" \u#,aZ_09-+e"#.utf8)
        for round in 0..<4_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = pool.randomElement(using: &random) ?? 0
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                default: bytes.removeLast(min(bytes.count - 1, place))
                }
            }
            _ = try? GraphParser.parse(String(decoding: bytes, as: UTF8.self))
        }
    }
}
