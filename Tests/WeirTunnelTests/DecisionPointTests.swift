import Testing
import WeirExpressions
import WeirGates
import WeirWorld

@testable import WeirTunnel

/// The levels Basic and Batch of AuthZEN's certification scenario (2026), fixture and requests as it has them.
@Suite("A decision point of static rules")
struct DecisionPointTests {
    /// The fixture's eight decisions.
    static let fixture: [(name: String, when: String, isAllowing: Bool)] = [
        (
            "admins", #"action.name == "write" && has(subject.properties.role) && subject.properties.role == "admin""#,
            true
        ),
        (
            "archived",
            #"action.name == "write" && has(resource.properties.status) "#
                + #"&& resource.properties.status == "archived""#, false
        ),
        ("readers", #"action.name == "read" && subject.id in ["alice", "bob"]"#, true),
        ("alice writes", #"action.name == "write" && subject.id == "alice""#, true),
        ("soft", #"action.name == "delete" && subject.id == "alice" && action.properties.soft == true"#, true),
    ]

    private func service() throws -> DecisionService {
        DecisionService(
            DecisionPoint(
                try Self.fixture.map {
                    DecisionPoint.Rule(
                        name: $0.name, condition: try Expression($0.when, environment: DecisionPoint.environment),
                        isAllowing: $0.isAllowing)
                }))
    }

    private func ask(_ body: String, type: String? = "application/json", batch: Bool = false) throws
        -> (status: Int, value: Value)
    {
        let service = try service()
        let answer =
            batch
            ? service.evaluations(Array(body.utf8), contentType: type)
            : service.evaluation(Array(body.utf8), contentType: type)
        return (answer.status, try #require(Value(json: answer.body)))
    }

    private func decision(_ value: Value) -> Bool? {
        guard case .map(let fields) = value, case .bool(let decision) = fields["decision"] else { return nil }
        return decision
    }

    private func decisions(_ value: Value) -> [Bool?]? {
        guard case .map(let fields) = value, case .list(let list) = fields["evaluations"], fields["decision"] == nil
        else { return nil }
        return list.map(decision)
    }

    static let questions: [(body: String, expected: Bool)] = [
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record",\#
            "id":"record-1"}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"write"},"resource":{"type":"record",\#
            "id":"record-1"}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"bob"},"action":{"name":"read"},"resource":{"type":"record",\#
            "id":"record-1"}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"bob"},"action":{"name":"write"},"resource":{"type":"record",\#
            "id":"record-1"}}
            """#,
            false
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"write"},"resource":{"type":"record",\#
            "id":"record-2","properties":{"status":"archived"}}}
            """#,
            false
        ),
        (
            #"""
            {"subject":{"type":"user","id":"bob","properties":{"role":"admin"}},"action":{"name":"write"},\#
            "resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"delete","properties":{"soft":true}},\#
            "resource":{"type":"record","id":"record-1"}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"delete","properties":{"soft":false}},\#
            "resource":{"type":"record","id":"record-1"}}
            """#,
            false
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record",\#
            "id":"record-1"},"context":{"ip":"192.168.1.1"}}
            """#,
            true
        ),
        (
            #"""
            {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record",\#
            "id":"record-1"},"foo":"bar","futureField":{"nested":true}}
            """#,
            true
        ),
    ]

    @Test("The fixture's decisions hold, each time", arguments: questions)
    func basic(_ body: String, _ expected: Bool) throws {
        for _ in 0..<3 {
            let (status, value) = try ask(body)
            #expect(status == 200)
            #expect(decision(value) == expected)
        }
    }

    @Test(
        "What is missing or of another type is refused with 400 and a sentence",
        arguments: [
            (#"{"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#, "`subject` is missing."),
            (
                #"{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}}"#,
                "`action` is missing."
            ),
            (#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"}}"#, "`resource` is missing."),
            (
                #"{"subject":{"id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#,
                "`subject.type` is missing."
            ),
            (
                #"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#,
                "`subject.id` is missing."
            ),
            (
                #"{"subject":{"type":"user","id":"alice"},"action":{},"resource":{"type":"record","id":"record-1"}}"#,
                "`action.name` is missing."
            ),
            (
                #"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"id":"record-1"}}"#,
                "`resource.type` is missing."
            ),
            (
                #"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record"}}"#,
                "`resource.id` is missing."
            ),
            (
                #"{"subject":"alice","action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#,
                "`subject` is no object."
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":123},"resource":{"type":"record",\#
                "id":"record-1"}}
                """#,
                "`action.name` is no string."
            ),
            ("{", "The body is no JSON object."), ("", "The body is empty."), ("[]", "The body is no JSON object."),
        ])
    func refusals(_ body: String, _ sentence: String) throws {
        let (status, value) = try ask(body)
        #expect(status == 400)
        #expect(value == .string(sentence))
    }

    @Test("Only application/json is read", arguments: ["text/plain", "application/xml", nil])
    func contentType(_ type: String?) throws {
        #expect(try ask(Self.questions[0].body, type: type).status == 400)
        #expect(try ask(Self.questions[0].body, type: "application/json; charset=utf-8").status == 200)
    }

    @Test(
        "A batch gives a decision for each question, in order, with what stands above as the default",
        arguments: [
            (
                #"""
                {"subject":{"type":"user","id":"bob"},"resource":{"type":"record","id":"record-1"},\#
                "evaluations":[{"action":{"name":"read"}},{"action":{"name":"write"}}]}
                """#,
                [true, false]
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":"write"},\#
                "evaluations":[{"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}},\#
                {"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}}]}
                """#,
                [true, false]
            ),
            (
                #"""
                {"action":{"name":"write"},"resource":{"type":"record","id":"record-2",\#
                "properties":{"status":"archived"}},"evaluations":[{"subject":{"type":"user","id":"alice"}},\#
                {"subject":{"type":"user","id":"bob","properties":{"role":"admin"}}}]}
                """#,
                [false, true]
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":"write"},"resource":{"type":"record"},\#
                "evaluations":[{"resource":{"id":"record-1","properties":{"status":"active"}}},\#
                {"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}}]}
                """#,
                [true, false]
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},\#
                "evaluations":[{"resource":{"type":"record","id":"record-1"}},{}]}
                """#,
                [true, false]
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},\#
                "options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},\#
                {"resource":{"type":"record","id":"record-1"}}]}
                """#,
                [false]
            ),
            (
                #"""
                {"subject":{"type":"user","id":"alice"},"action":{"name":"read"},\#
                "options":{"evaluations_semantic":"permit_on_first_permit"},\#
                "evaluations":[{"resource":{"type":"record","id":"record-1"}},{}]}
                """#,
                [true]
            ),
        ])
    func batch(_ body: String, _ expected: [Bool]) throws {
        let (status, value) = try ask(body, batch: true)
        #expect(status == 200)
        #expect(decisions(value) == expected)
    }

    @Test("Without evaluations, or with none, the batch is a single question")
    func single() throws {
        for end in ["}", #","evaluations":[]}"#] {
            let (status, value) = try ask(Self.questions[0].body.dropLast() + end, batch: true)
            #expect(status == 200)
            #expect(decision(value) == true)
        }
        #expect(try ask(#"{"evaluations":"all"}"#, batch: true).status == 400)
    }

    @Test("Its own document names the endpoints below its address")
    func discovery() throws {
        guard case .map(let fields) = Value(json: DecisionService.discovery(base: "https://weir.example")) else {
            Issue.record("it is no object")
            return
        }
        #expect(fields["policy_decision_point"] == .string("https://weir.example"))
        #expect(fields["access_evaluation_endpoint"] == .string("https://weir.example/access/v1/evaluation"))
        #expect(fields["access_evaluations_endpoint"] == .string("https://weir.example/access/v1/evaluations"))
    }

    @Test("A condition that cannot be evaluated lets nobody in")
    func failures() throws {
        let broken = try Expression("context.absent == 1", environment: DecisionPoint.environment)
        let all = try Expression("true", environment: DecisionPoint.environment)
        let question = try DecisionQuestion(
            ValueMap([
                "subject": .map(ValueMap(["type": .string("a"), "id": .string("b")])),
                "action": .map(ValueMap(["name": .string("c")])),
                "resource": .map(ValueMap(["type": .string("d"), "id": .string("e")])),
            ]))
        let denying = DecisionPoint([
            .init(name: "broken", condition: broken, isAllowing: false),
            .init(name: "all", condition: all, isAllowing: true),
        ])
        #expect(!denying.decide(question).isAllowed)
        #expect(denying.decide(question).rule == "broken")
        let allowing = DecisionPoint([.init(name: "broken", condition: broken, isAllowing: true)])
        #expect(!allowing.decide(question).isAllowed)
        #expect(DecisionPoint([.init(name: "all", condition: all, isAllowing: true)]).decide(question).isAllowed)
    }
}
