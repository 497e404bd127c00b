import Synchronization
import Testing
import WeirGates
import WeirIdentity
import WeirTestKit
import WeirWorld

@Suite("The engine and what it carries out")
struct EngineExecutionTests {
    @Test("throttle boundary: waits until the time, is looked at again by itself, counts failed attempts")
    func throttle() async throws {
        var rule = EngineWorld.join()
        rule.throttle = .period(.seconds(600))
        let world = try await EngineWorld([rule])
        world.hire(1...1)
        world.ad.change { $0.refuses = { _ in .failed(code: "busy", text: "the server is busy") } }
        #expect(world.outcomes(try await world.sync(), "join") == [.failed: 1])
        world.ad.change { $0.refuses = { _ in nil } }
        world.time.advance(by: .seconds(599))
        let early = try await world.sync(.delta)
        #expect(world.outcomes(early, "join") == [.throttled: 1])
        let trigger = try #require(
            try await world.engine.triggers(sync: early.id, rule: nil, outcome: .throttled, PageRequest()).items.first)
        #expect(trigger.until == world.time.wall + .seconds(1))
        world.time.advance(by: .seconds(1))
        // Nothing has changed: the timer brings the person into the delta.
        #expect(world.outcomes(try await world.sync(.delta), "join") == [.executed: 1])
    }

    @Test("env var missing: the rule is left out of the sync with a problem, never \"no throttle\"")
    func variable() async throws {
        var rule = EngineWorld.join()
        rule.throttle = .variable("SETTLE")
        let world = try await EngineWorld([rule], env: ["SETTLE": "later"])
        world.hire(1...1)
        let view = try await world.sync()
        #expect(view.rules.first?.triggered == 0)
        #expect(view.problems.map(\.code) == ["rule-disabled"])
        try await world.restart(env: ["SETTLE": "10m"])
        #expect(world.outcomes(try await world.sync(), "join") == [.executed: 1])
    }

    @Test("a silo that reads something else than before: nothing runs until everybody was looked at in a preview")
    func scope() async throws {
        let world = try await EngineWorld([EngineWorld.join()])
        world.hire(1...3)
        try await world.sync()
        world.hr.change { $0.scope = "ou=sales" }
        world.hire(4...4)
        let refusal = await #expect(throws: IdentityRefusal.self) { try await world.sync() }
        #expect(refusal?.code == "preview_needed")
        try await world.sync(.delta, .preview)
        await #expect(throws: IdentityRefusal.self) { try await world.sync(.delta) }
        #expect(world.accounts == 3)
        try await world.sync(.full, .preview)
        try await world.sync()
        #expect(world.accounts == 4)
    }

    @Test("a throttle may be an expression; one that fails runs nothing")
    func throttleExpression() async throws {
        var rule = EngineWorld.title()
        rule.throttle = .expression("hr.type == 'contractor' ? duration('1h') : duration('5m')")
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        world.equip(1...2, title: "Old")
        world.set(1, "type", "staff")
        let view = try await world.sync()
        #expect(world.outcomes(view, "title") == [.executed: 1, .failed: 1])
    }

    @Test("an approved action obeys the throttle: it stays approved until it is allowed")
    func approvedThrottle() async throws {
        var rule = EngineWorld.title(.count(0))
        rule.throttle = .period(.seconds(3_600))
        let world = try await EngineWorld([rule])
        world.hire(1...1)
        world.equip(1...1)
        for title in ["One", "Two"] {
            world.set(1, "title", title)
            let view = try await world.sync()
            if title == "Two" {
                #expect(world.outcomes(view, "title") == [.throttled: 1])
                world.time.advance(by: .seconds(3_600))
                try await world.sync()
            }
            try await world.decide(.approve, .action(try #require(try await world.actions().first).id))
            try await world.sync()
        }
        #expect(world.ad.objects(EngineWorld.account).first?.attributes["title"] == ["Two"])
    }

    @Test("Count at 100/101 in a condition: the first 100 by priority run, two rules share a context")
    func count() async throws {
        var rule = EngineWorld.join(.none)
        rule.condition = "Count(hr.status == 'active', 'new', duration('1h')) <= 3 && hr.status == 'active'"
        rule.priority = "hr.?start.orValue('9')"
        let world = try await EngineWorld([rule])
        world.hire(1...6)
        world.set(5, "start", "1")
        world.set(1, "status", "gone")
        try await world.sync()
        // Whose Boolean is false takes no place; who starts first goes first.
        #expect(world.ad.objects(EngineWorld.account).map(\.name).sorted() == [2, 3, 5].map { "uid=p\($0),ou=people" })
        try await world.sync()
        #expect(world.accounts == 5)
    }

    @Test("a durable quota lets some through and puts the rest off, most urgent first, also over a restart")
    func quota() async throws {
        var rule = EngineWorld.join(.none)
        rule.quotas = [Rule.Quota(most: 2, per: .hour)]
        rule.priority = "0 - int(hr.rank)"
        let world = try await EngineWorld([rule])
        world.hire(1...5)
        for number in 1...5 { world.set(number, "rank", "\(number)") }
        let view = try await world.sync()
        #expect(world.outcomes(view, "join") == [.executed: 2, .postponed: 3])
        #expect(world.ad.objects(EngineWorld.account).map(\.name) == ["uid=p4,ou=people", "uid=p5,ou=people"])
        try await world.restart()
        #expect(world.outcomes(try await world.sync(), "join") == [.postponed: 3])
        world.time.advance(by: .seconds(3_600))
        #expect(world.outcomes(try await world.sync(.delta), "join") == [.executed: 2, .postponed: 1])
    }

    @Test("server killed between write and journal: the target is read, nothing is done twice")
    func killed() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(0))])
        world.hire(1...3)
        let view = try await world.sync()
        try await world.decide(.approve, .hold(sync: view.id, rule: "join", exceptVIP: false))
        let database = world.database
        let count = Mutex(0)
        world.ad.change {
            $0.onWrite = { _ in
                let isSecond = count.withLock { count in
                    count += 1
                    return count == 2
                }
                if isSecond { await database.close() }
            }
        }
        await #expect(throws: IdentityRefusal.self) { try await world.sync() }
        world.ad.change { $0.onWrite = { _ in } }
        #expect(world.accounts >= 2)
        let before = world.ad.written.count
        try await world.restart()
        // What was written is known to be; nothing is lost, nothing waits for ever.
        let states = try await world.actions(Set(ActionState.allCases)).map(\.state)
        #expect(Set(states).isSubset(of: [.executed, .approved]))
        #expect(states.count { $0 == .executed } == before)
        try await world.sync()
        #expect(world.accounts == 3)
        #expect(world.ad.written.count == 3)
        let first = try #require(try await world.engine.syncs(PageRequest()).items.dropFirst().first)
        #expect(first.failure?.contains("ended") == true)
    }

    @Test("an answer that never came is settled by reading the target, later where it cannot be read now")
    func unknownAnswer() async throws {
        let world = try await EngineWorld([EngineWorld.join()])
        world.hire(1...1)
        world.ad.change { $0.refuses = { _ in .unknown(code: "timeout", text: "no answer") } }
        #expect(world.outcomes(try await world.sync(), "join") == [.failed: 1])
        world.ad.change { $0.refuses = { _ in nil } }
        #expect(world.outcomes(try await world.sync(), "join") == [.executed: 1])
        #expect(world.accounts == 1)
    }

    @Test("a grace: disabled people are deleted when the condition has held for so long, not if they come back")
    func grace() async throws {
        var rule = EngineWorld.leave()
        rule.grace = .seconds(30 * 86_400)
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        world.equip(1...2)
        try await world.sync()
        world.hr.remove(EngineWorld.person, "E1")
        #expect(world.outcomes(try await world.sync(), "leave") == [.postponed: 1])
        world.time.advance(by: .seconds(20 * 86_400))
        world.hire(1...1)
        try await world.sync()
        world.hr.remove(EngineWorld.person, "E1")
        try await world.sync()
        world.time.advance(by: .seconds(29 * 86_400))
        #expect(world.outcomes(try await world.sync(.delta), "leave").isEmpty)
        world.time.advance(by: .seconds(86_400))
        #expect(world.outcomes(try await world.sync(.delta), "leave") == [.executed: 1])
        #expect(world.accounts == 1)
    }

    @Test("memberships: exactly the managed groups that are wanted, one write for each group")
    func membership() async throws {
        var rule = Rule(name: "groups", kind: .membership, target: EngineWorld.group)
        rule.scopes = ["has(hr.id)"]
        rule.groups = "hr.title == 'Head' ? ['heads', 'all'] : ['all']"
        rule.managed = "group.name != 'cn=foreign'"
        rule.threshold.limit = .count(3)
        let world = try await EngineWorld([rule])
        world.hire(1...3)
        world.equip(1...3)
        world.set(1, "title", "Head")
        world.ad.put(EngineWorld.group, "g1", name: "cn=heads", ["cn": ["heads"], "member": ["uid=p2,ou=people"]])
        world.ad.put(EngineWorld.group, "g2", name: "cn=all", ["cn": ["all"]])
        world.ad.put(EngineWorld.group, "g3", name: "cn=foreign", ["member": ["uid=p3,ou=people"]])
        #expect(world.outcomes(try await world.sync(), "groups") == [.executed: 3])
        let groups = world.ad.objects(EngineWorld.group)
        #expect(groups.map { $0.attributes["member"]?.count } == [3, 1, 1])
        #expect(groups.first { $0.anchor == "g1" }?.attributes["member"] == ["uid=p1,ou=people"])
        #expect(world.ad.written.count == 2)
        #expect(world.outcomes(try await world.sync(), "groups").isEmpty)
    }

    @Test("a secret goes out and stands nowhere: not in the plan, not in the database")
    func secret() async throws {
        var rule = EngineWorld.join(.count(0))
        rule.flows.append(
            Rule.Flow(attribute: "userpassword", expression: "'Start-' + hr.id", isInitial: true, isSecret: true))
        let world = try await EngineWorld([rule])
        world.hire(1...1)
        try await world.sync()
        let action = try #require(try await world.actions().first)
        #expect(action.changes.first?.edits.last?.adds == [Change.secretMark])
        try await world.decide(.approve, .action(action.id))
        try await world.sync()
        #expect(world.ad.secrets == [["userpassword": "Start-E1"]])
    }

    @Test("a simulated rule is planned and shown, and does nothing")
    func simulated() async throws {
        var rule = EngineWorld.join(.count(1))
        rule.isSimulated = true
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        let view = try await world.sync()
        #expect(world.outcomes(view, "join") == [.skipped: 2])
        let items = try await world.engine.triggers(sync: view.id, rule: nil, outcome: nil, PageRequest()).items
        #expect(items.map(\.text) == ["would be held: volume", "would be held: volume"])
        #expect(world.ad.written.isEmpty)
    }

    @Test("a person's verdicts say why, rule by rule")
    func verdicts() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(0)), EngineWorld.title(), EngineWorld.leave()])
        world.hire(1...1)
        try await world.sync()
        let view = try #require(try await world.engine.identity("hr:E1"))
        #expect(view.summary.label == "Person 1")
        #expect(view.verdicts.map(\.text).first?.hasPrefix("is held") == true)
        #expect(view.verdicts[1].text == "no trigger: there is no object in the target")
        #expect(view.history.count == 1)
    }

    @Test("a rule that a person holds is planned and put off, and goes on when it is released")
    func paused() async throws {
        let world = try await EngineWorld([EngineWorld.join()])
        world.hire(1...1)
        #expect(world.gates.order(.hold(by: "ann"), "rule/join"))
        #expect(world.gates.reading("rule/join")?.state == .paused)
        #expect(world.outcomes(try await world.sync(), "join") == [.postponed: 1])
        _ = world.gates.order(.release(by: "ann"), "rule/join")
        #expect(world.outcomes(try await world.sync(.delta), "join") == [.executed: 1])
    }
}
