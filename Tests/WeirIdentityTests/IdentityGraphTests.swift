import Testing
import WeirExpressions
import WeirIdentity
import WeirWorld

/// A small world of three silos, filled by hand.
struct GraphWorld {
    static let person = ObjectKind(silo: "hr")
    static let account = ObjectKind(silo: "ad")
    static let group = ObjectKind(silo: "ad", type: "group")
    static let mailbox = ObjectKind(silo: "crm")

    let language: IdentityLanguage
    var builder: GraphBuilder
    private var row: Int64 = 0

    init() throws {
        language = IdentityLanguage([
            (Self.person, ObjectSchema(lists: ["phone"])), (Self.account, ObjectSchema(lists: ["proxyaddresses"])),
            (Self.group, ObjectSchema(lists: ["member"], references: ["member"])), (Self.mailbox, ObjectSchema()),
        ])
        builder = try GraphBuilder(
            language,
            joins: [
                JoinRule(kind: Self.person, key: "hr.id"), JoinRule(kind: Self.account, key: "ad.employeenumber"),
                JoinRule(kind: Self.account, key: "ad.?mail.optMap(m, 'mail:' + m)"),
                JoinRule(kind: Self.mailbox, key: "'mail:' + crm.mail"),
            ])
    }

    mutating func add(
        _ kind: ObjectKind, _ anchor: String, _ attributes: [String: [String]], identity: Int64 = 0
    ) throws {
        row += 1
        try builder.add(
            SiloObject(kind: kind, anchor: anchor, name: "cn=" + anchor, attributes: attributes), row: row,
            identity: identity)
    }

    mutating func graph(next: Int64 = 100) -> GraphBuilder.Outcome { builder.build(nextIdentity: next) }
}

@Suite("The identity graph")
struct IdentityGraphTests {
    private let scope = EvaluationScope(now: Instant(WallTime(nanoseconds: 0)), rule: "r")

    @Test("joins objects of several silos by equal keys, over several steps too")
    func joins() throws {
        var world = try GraphWorld()
        try world.add(GraphWorld.person, "1", ["id": ["E1"], "status": ["active"]])
        try world.add(GraphWorld.person, "2", ["id": ["E2"]])
        try world.add(GraphWorld.account, "a", ["employeenumber": ["E1"], "mail": ["a@x"]])
        try world.add(GraphWorld.mailbox, "m", ["mail": ["a@x"]])
        let outcome = world.graph()
        #expect(outcome.graph.count == 2)
        #expect(outcome.created == [100, 101])
        #expect(outcome.assignments.count == 4)
        #expect(outcome.graph.objects(of: 0).map(\.anchor) == ["1", "a", "m"])
        #expect(outcome.graph.objects(of: 1).map(\.anchor) == ["2"])
        #expect(outcome.graph.live(GraphWorld.person) == 2)
        #expect(outcome.graph.id(of: 0) == "100")
        #expect(outcome.graph.identity("101") == 1)
    }

    @Test("keeps ids: what grows together has the older one, what falls apart keeps it with the oldest object")
    func persistentIDs() throws {
        var world = try GraphWorld()
        try world.add(GraphWorld.person, "1", ["id": ["E1"]], identity: 5)
        try world.add(GraphWorld.account, "a", ["employeenumber": ["E1"]], identity: 3)
        try world.add(GraphWorld.person, "2", ["id": ["E2"]], identity: 7)
        try world.add(GraphWorld.account, "b", ["employeenumber": ["E9"]], identity: 7)
        let outcome = world.graph()
        #expect(outcome.merged.map(\.from) == [5])
        #expect(outcome.merged.map(\.into) == [3])
        #expect(outcome.created == [100])
        #expect(outcome.split.map(\.from) == [7])
        #expect(outcome.split.map(\.into) == [100])
        #expect(outcome.graph.object(of: 1, GraphWorld.person)?.anchor == "2")
        #expect(outcome.graph.object(of: 2, GraphWorld.account)?.anchor == "b")
    }

    @Test("leaves out whoever shares a key with another object of the same kind, and says who")
    func disputes() throws {
        var world = try GraphWorld()
        try world.add(GraphWorld.person, "1", ["id": ["E1"]])
        try world.add(GraphWorld.account, "a", ["employeenumber": ["E1"]])
        try world.add(GraphWorld.account, "b", ["employeenumber": ["E1"]])
        try world.add(GraphWorld.person, "2", ["id": ["E2"]])
        let graph = world.graph().graph
        #expect(graph.count == 4)
        let found = graph.disputed
        #expect(found.count == 3)
        #expect(found.allSatisfy { $0.dispute.key == "E1" })
        #expect(graph.dispute(of: 0)?.contains("ad/user cn=a") == true)
        #expect((0..<4).filter { graph.dispute(of: $0) == nil }.count == 1)
    }

    @Test("leaves out a set that got two objects of a kind by way of different keys")
    func indirectDispute() throws {
        var world = try GraphWorld()
        try world.add(GraphWorld.account, "a", ["employeenumber": ["E1"], "mail": ["x@x"]])
        try world.add(GraphWorld.person, "1", ["id": ["E1"]])
        try world.add(GraphWorld.person, "2", ["id": ["mail:x@x"]])
        let graph = world.graph().graph
        #expect(graph.count == 3)
        #expect(graph.disputed.count == 3)
    }

    @Test("reads attributes in expressions: by schema one text or a list, in any case, with optionals")
    func expressions() throws {
        var world = try GraphWorld()
        try world.add(
            GraphWorld.person, "1",
            ["id": ["E1"], "status": ["active"], "title": ["Boss"], "phone": ["1"], "level": ["1", "2"]])
        try world.add(GraphWorld.account, "a", ["employeenumber": ["E1"], "proxyaddresses": ["p", "q"]])
        let graph = world.graph().graph
        func value(_ source: String) throws -> Value {
            try graph.compile(source, extra: [:]).evaluate(0, in: graph, scope)
        }
        #expect(try value("hr.status == 'active' && ad.?title.orValue('') != hr.title") == .bool(true))
        #expect(try value("hr.Status in ['x', 'active']") == .bool(true))
        #expect(try value("has(ad.title)") == .bool(false))
        #expect(try value("has(crm.mail) || !joined('crm')") == .bool(true))
        #expect(try value("hr.phone") == .list([.string("1")]))
        #expect(try value("ad.proxyaddresses.size()") == .int(2))
        #expect(try value("hr.?phone.orValue([]).size() + hr.title.size()") == .int(5))
        #expect(try value("hr['title'].startsWith('Bo') && ad.dn == 'cn=a' && ad._anchor.endsWith('a')") == .bool(true))
        #expect(try value("id + rule") == .string("100r"))
        #expect(try value("hr.exists(k, k == 'status')") == .bool(true))
        #expect(try value("old.hr.title") == .string("Boss"))
        #expect(try value("['a'].all(hr, hr == 'a')") == .bool(true))
        #expect(throws: ExpressionFailure.self) { try value("ad.title == 'x'") }
        #expect(throws: ExpressionFailure.self) { try value("crm.mail == 'x'") }
        #expect(throws: ExpressionFailure.self) { try value("hr.level == '1'") }
        #expect(throws: ExpressionProblem.self) { try value("hr.phone == 'x'") }
        #expect(throws: ExpressionProblem.self) { try value("nobody.phone == 'x'") }
    }
}
