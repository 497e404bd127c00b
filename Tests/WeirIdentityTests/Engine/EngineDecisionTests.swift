import GRDB
import Testing
import WeirGates
import WeirIdentity
import WeirTestKit
import WeirWorld

@Suite("The engine and decisions")
struct EngineDecisionTests {
    /// Two accounts wait, because one passes.
    private func held() async throws -> (EngineWorld, SyncView) {
        let world = try await EngineWorld([EngineWorld.join(.count(1))])
        world.hire(1...2)
        return (world, try await world.sync())
    }

    @Test("approve, then preview: nothing; then a single sync of somebody else: it runs")
    func release() async throws {
        let (world, view) = try await held()
        let result = try await world.decide(.approve, .hold(sync: view.id, rule: "join", exceptVIP: false))
        #expect(result.changed == 2)
        #expect(world.ad.written.isEmpty)
        try await world.sync(.full, .preview)
        #expect(world.ad.written.isEmpty)
        world.hr.put(EngineWorld.person, "E7", ["id": ["E7"], "status": ["gone"]])
        try await world.sync(.full, .preview)
        try await world.sync(.single, .commit, "hr:E7")
        #expect(world.accounts == 2)
        #expect(try await world.actions([.executed]).count == 2)
        try await world.sync()
        #expect(try await world.actions([.confirmed]).count == 2)
    }

    @Test("reject clears: the rule may trigger again, and three of many then pass by themselves")
    func reject() async throws {
        let (world, view) = try await held()
        try await world.decide(.reject, .hold(sync: view.id, rule: "join", exceptVIP: false))
        #expect(try await world.actions([.rejected]).count == 2)
        try await world.sync(.single, .commit, "hr:E1")
        #expect(world.accounts == 1)
    }

    @Test("reject and mute: not asked again until the change is another one")
    func mute() async throws {
        let (world, view) = try await held()
        try await world.decide(.reject, .hold(sync: view.id, rule: "join", exceptVIP: false), mutes: true)
        #expect(world.outcomes(try await world.sync(), "join") == [.skipped: 2])
        world.set(1, "title", "Head")
        #expect(world.outcomes(try await world.sync(), "join") == [.skipped: 1, .executed: 1])
    }

    @Test("expiry, default clear: the action ends and can trigger again; a decision after it is too late")
    func expiryClears() async throws {
        let (world, _) = try await held()
        let action = try #require(try await world.actions().first)
        world.time.advance(by: .seconds(72 * 3_600))
        let refusal = await #expect(throws: IdentityRefusal.self) {
            try await world.decide(.approve, .action(action.id))
        }
        #expect(refusal?.kind == .gone)
        await world.engine.expireDue()
        #expect(try await world.actions([.expired]).count == 2)
        #expect(world.outcomes(try await world.sync(), "join") == [.suspended: 2])
    }

    @Test("expiry, default approve: approved by policy, and run by the next committed sync only")
    func expiryApproves() async throws {
        var rule = EngineWorld.join(.count(1))
        rule.review.onExpiry = .approve
        rule.review.expiry = .seconds(3_600)
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        try await world.sync()
        world.time.advance(by: .seconds(3_599))
        await world.engine.expireDue()
        #expect(try await world.actions().count == 2)
        world.time.advance(by: .seconds(1))
        await world.engine.expireDue()
        let approved = try await world.actions([.approved])
        #expect(approved.count == 2 && approved.allSatisfy { $0.decidedBy?.kind == .policy })
        #expect(world.accounts == 0)
        try await world.sync(.delta)
        #expect(world.accounts == 2)
    }

    @Test("change after approval: superseded, and asked again; what is no longer needed is dropped")
    func superseded() async throws {
        let (world, view) = try await held()
        try await world.decide(.approve, .hold(sync: view.id, rule: "join", exceptVIP: false))
        world.set(1, "title", "Head")
        world.set(2, "status", "gone")
        let next = try await world.sync()
        #expect(world.outcomes(next, "join") == [.suspended: 1])
        #expect(world.accounts == 0)
        #expect(try await world.actions([.superseded]).count == 1)
        #expect(try await world.actions([.obsolete]).count == 1)
        let again = try #require(try await world.actions().first)
        #expect(again.reason == .superseded)
        #expect(again.changes.first?.edits.last?.adds == ["Head"])
    }

    @Test("a revoked approval does not run; an extension moves the end")
    func revoke() async throws {
        let (world, _) = try await held()
        let actions = try await world.actions()
        try await world.decide(.approve, .action(actions[0].id))
        try await world.decide(.revoke, .action(actions[0].id))
        world.time.advance(by: .seconds(3_600))
        try await world.decide(.extend, .action(actions[1].id))
        #expect(try await world.engine.action(actions[1].id)?.expires == actions[1].expires + .seconds(3_600))
        #expect(try await world.engine.action(actions[0].id)?.state == .rejected)
        #expect(world.accounts == 0)
    }

    @Test("two approvers racing: the first decision wins, the other one is told who and when")
    func race() async throws {
        let (world, _) = try await held()
        let action = try #require(try await world.actions().first)
        let engine = world.engine
        async let one = engine.decide(
            DecisionOrder(verb: .approve, which: .action(action.id), person: Person(kind: .user, name: "ann")))
        async let two = engine.decide(
            DecisionOrder(verb: .reject, which: .action(action.id), person: Person(kind: .user, name: "bea")))
        let results = try await [one, two]
        #expect(results.map(\.changed).reduce(0, +) == 1)
        let late = try #require(results.first { $0.changed == 0 })
        #expect(late.already == 1 && late.text.contains("already") && late.text.contains(" by "))
    }

    @Test("a decision is bound to what was seen: another fingerprint or digest is a conflict")
    func binding() async throws {
        let (world, view) = try await held()
        let action = try #require(try await world.actions().first)
        let digest = try #require(try await world.engine.holds().first?.digest)
        try await world.decide(.approve, .action(action.id), fingerprint: action.fingerprint)
        for (which, print) in [
            (DecisionOrder.Which.action(action.id), digest),
            (.hold(sync: view.id, rule: "join", exceptVIP: false), digest),
        ] {
            let refusal = await #expect(throws: IdentityRefusal.self) {
                try await world.decide(.approve, which, fingerprint: print)
            }
            #expect(refusal?.kind == .conflict)
        }
    }

    @Test("nobody approves what is done to themselves, alone or among others")
    func selfApproval() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(0))])
        world.hire(1...3)
        let view = try await world.sync()
        let mine = try #require(try await world.actions().first { $0.label == "Person 2" })
        let refusal = await #expect(throws: IdentityRefusal.self) {
            try await world.decide(.approve, .action(mine.id), by: "P2")
        }
        #expect(refusal?.kind == .notAllowed)
        let result = try await world.decide(
            .approve, .hold(sync: view.id, rule: "join", exceptVIP: false), by: "p2")
        #expect(result.changed == 2)
        #expect(try await world.actions().map(\.id) == [mine.id])
    }

    @Test("four eyes: two different people must approve")
    func fourEyes() async throws {
        var rule = EngineWorld.join(.count(0))
        rule.review.needsTwo = true
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        let view = try await world.sync()
        let hold = DecisionOrder.Which.hold(sync: view.id, rule: "join", exceptVIP: false)
        #expect(try await world.decide(.approve, hold, by: "ann").waitsForSecond)
        #expect(try await world.decide(.approve, hold, by: "ann").changed == 0)
        let action = try #require(try await world.actions().first)
        #expect(try await world.decide(.approve, .action(action.id), by: "Ann").waitsForSecond)
        #expect(try await world.decide(.approve, .action(action.id), by: "bea").changed == 1)
        #expect(try await world.decide(.approve, hold, by: "bea").changed == 1)
    }

    @Test("all but the important ones can be approved at once")
    func exceptVIP() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(0))])
        world.hire(1...3)
        world.hire([9], level: "1")
        let view = try await world.sync()
        let hold = DecisionOrder.Which.hold(sync: view.id, rule: "join", exceptVIP: true)
        #expect(try await world.decide(.approve, hold).changed == 3)
        #expect(try await world.actions().map(\.isVIP) == [true])
    }

    @Test("every decision stands in a chain; a line that is changed, or taken out, breaks it")
    func chain() async throws {
        let (world, _) = try await held()
        for action in try await world.actions() { try await world.decide(.reject, .action(action.id)) }
        try await world.sync()
        try await world.decide(.approve, .action(try #require(try await world.actions().first).id))
        #expect(try await world.engine.audit(PageRequest()).total == 3)
        #expect(try await world.engine.auditBreak() == nil)
        try await world.database.write { try $0.execute(sql: "UPDATE decision SET person = 'eve' WHERE n = 2") }
        #expect(try await world.engine.auditBreak() == 2)
        try await world.database.write { try $0.execute(sql: "DELETE FROM decision WHERE n = 1") }
        #expect(try await world.engine.auditBreak() == 2)
    }

    @Test("an action that nobody knows is not told from one that is not there")
    func unknown() async throws {
        let (world, _) = try await held()
        let refusal = await #expect(throws: IdentityRefusal.self) { try await world.decide(.approve, .action("x")) }
        #expect(refusal?.kind == .unknown)
    }
}
