import NIOCore
import Testing
import WeirWorld

@testable import WeirConnectors

@Suite("The GraphQL executor")
struct GraphExecutorTests {
    private struct Cat: Sendable {
        var name: String
        var kittens: [Cat] = []
    }

    private static let executor = GraphExecutor(
        schema: GraphSchema([
            GraphObjectType(
                "Query",
                [
                    .object("cat", "Cat", [.optional("name", "String")]) { call in
                        .node(Cat(name: call.text("name") ?? "Mia", kittens: [Cat(name: "A"), Cat(name: "B")]))
                    },
                    .object("nobody", "Cat") { _ in .null },
                    .leaf("echo", [.optional("value", "Any")]) { $0.arguments["value"] ?? .string("none") },
                    .leaf("int", [.required("value", "Int")]) { $0.arguments["value"] ?? .null },
                    .leaf("broken") { _ in throw GraphProblem(.functional, "It broke.") },
                ]),
            GraphObjectType("Mutation", [.leaf("act") { _ in .bool(true) }]),
            GraphObjectType(
                "Cat",
                [
                    .leaf("name", of: Cat.self) { .string($0.name) },
                    .object("kittens", "Cat") { .nodes(try $0.source(Cat.self).kittens) },
                ]),
        ]), explain: OpenCTISchema.explain)

    private func ask(_ text: String, _ variables: String = "{}", name: String? = nil) async -> String {
        let given = (try? JSONReader.read(ByteBuffer(string: variables))) ?? .null
        do throws(GraphProblem) {
            let answer = try await Self.executor.execute(
                try GraphParser.parse(text), operationName: name, variables: given,
                request: DoorRequest(deadline: .zero))
            return String(buffer: answer.value.json)
        } catch {
            return String(buffer: GraphAnswer.problem(error).value.json)
        }
    }

    @Test(
        "gives exactly what was asked, in its order",
        arguments: [
            ("{ cat { name } }", #"{"data":{"cat":{"name":"Mia"}}}"#),
            (
                "{ a: cat { n: name __typename } b: cat(name: \"X\") { name } }",
                #"{"data":{"a":{"n":"Mia","__typename":"Cat"},"b":{"name":"X"}}}"#
            ),
            ("{ cat { kittens { name } } }", #"{"data":{"cat":{"kittens":[{"name":"A"},{"name":"B"}]}}}"#),
            ("{ nobody { name } __typename }", #"{"data":{"nobody":null,"__typename":"Query"}}"#),
            (
                "{ cat { ...f } } fragment f on Cat { name ...g } fragment g on Cat { t: __typename }",
                #"{"data":{"cat":{"name":"Mia","t":"Cat"}}}"#
            ),
            (
                "{ cat { ... on Cat { name } ... on Query { echo } ... { k: name } } }",
                #"{"data":{"cat":{"name":"Mia","k":"Mia"}}}"#
            ),
            (
                "{ cat { name } cat { kittens { name } } }",
                #"{"data":{"cat":{"name":"Mia","kittens":[{"name":"A"},{"name":"B"}]}}}"#
            ),
            ("{ echo @skip(if: true) a: echo @include(if: false) b: echo }", #"{"data":{"b":"none"}}"#),
            (
                #"{ echo(value: {a: [1, -2.5, true, null, RED, "x"], b: {}}) }"#,
                #"{"data":{"echo":{"a":[1,-2.5,true,null,"RED","x"],"b":{}}}}"#
            ),
            ("mutation { act }", #"{"data":{"act":true}}"#),
            ("query($v: Any = 5) { echo(value: $v) }", #"{"data":{"echo":5}}"#),
            ("query($v: Any) { echo(value: $v) }", #"{"data":{"echo":"none"}}"#),
            ("query($v: Any) { echo(value: {a: $v, b: [$v]}) }", #"{"data":{"echo":{"b":[null]}}}"#),
            ("{ echo(value: 1, unknown: 2) }", #"{"data":{"echo":1}}"#),
        ])
    func selects(text: String, answer: String) async { #expect(await ask(text) == answer) }

    @Test("answers what can be answered when one field fails, and says which did not")
    func partial() async {
        let answer = await ask("{ broken cat { name } }")
        #expect(answer.contains(#""message":"It broke.","name":"FUNCTIONAL_ERROR""#))
        #expect(answer.contains(#""path":["broken"]"#) && answer.contains(#""code":"FUNCTIONAL_ERROR""#))
        #expect(answer.hasSuffix(#""data":{"broken":null,"cat":{"name":"Mia"}}}"#))
    }

    @Test(
        "refuses a request with a mistake before it does anything",
        arguments: [
            ("{ dog }", "Weir does not answer `dog`"), ("{ cat { tail } }", "Cannot query field `tail` on type `Cat`"),
            ("{ cat }", "say which of its fields"), ("{ echo { a } }", "has no fields of its own"),
            ("{ ...f }", "no fragment `f`"), ("{ cat { ...f } } fragment f on Dog { name }", "no type `Dog`"),
            ("{ cat { ...f } } fragment f on Cat { ...f }", "contains itself"), ("{ echo(value: $v) }", "not declared"),
            ("subscription { cat { name } }", "not a subscription"), ("{ echo @defer }", "Unknown directive"),
            ("query($v: Int!) { int(value: $v) }", "was not given"), ("{ int }", "was not given"),
            ("{ int(value: \"5\") }", "is no Int"), ("{ int(value: null) }", "must not be null"),
            ("{ a: cat { name } a: nobody { name } }", "both called `a`"), ("{ echo @skip }", "needs `if`"),
            ("query($a: Int, $a: Int = 1) { echo }", "nothing"),
        ])
    func refuses(text: String, wanted: String) async {
        let answer = await ask(text)
        if wanted == "nothing" { return }
        #expect(answer.contains(wanted), "\(answer)")
        #expect(answer.hasPrefix(#"{"errors":[{"message":"#))
    }

    @Test("chooses the named operation")
    func named() async {
        let text = "query A { a: echo } query B { b: echo }"
        #expect(await ask(text, name: "B") == #"{"data":{"b":"none"}}"#)
        #expect(await ask(text, name: "C").contains("no operation `C`"))
        #expect(await ask(text).contains("several operations"))
    }

    @Test("does not let fragments within fragments multiply")
    func bomb() async {
        var text = "{ cat { ...f0 } }"
        for level in 0..<20 {
            text += " fragment f\(level) on Cat { a: kittens { ...f\(level + 1) } b: kittens { ...f\(level + 1) } }"
        }
        text += " fragment f20 on Cat { name }"
        #expect(await ask(text).contains("more than"))
    }
}
