import Testing
import WeirGates
import WeirIdentity
import WeirTestKit
import WeirWorld

@Suite("The engine and its thresholds")
struct EngineThresholdTests {
    @Test("limit boundary: n = limit runs, limit + 1 is held, all of it")
    func boundary() async throws {
        let exact = try await EngineWorld([EngineWorld.join(.count(5))])
        exact.hire(1...5)
        let first = try await exact.sync()
        #expect(exact.outcomes(first, "join") == [.executed: 5])
        #expect(exact.accounts == 5)

        let over = try await EngineWorld([EngineWorld.join(.count(5))])
        over.hire(1...6)
        let second = try await over.sync()
        #expect(over.outcomes(second, "join") == [.suspended: 6])
        #expect(over.accounts == 0)
        let hold = try #require(try await over.engine.holds().first)
        #expect(hold.suspended == 6 && hold.limit == 5 && hold.reason == .volume)
        #expect(over.gates.reading("rule/join")?.state == .suspended)
    }

    @Test("raw clamp: a number over 5 % of a large silo is reduced, with one problem; an override key lifts it")
    func clamp() async throws {
        let world = try await EngineWorld([EngineWorld.title(.count(600))])
        // Whom nobody speaks of are objects of the silo all the same.
        world.hire(1...501)
        world.equip(1...10_000, title: "Old")
        let view = try await world.sync(.full, .preview)
        #expect(world.outcomes(view, "title") == [.suspended: 501])
        #expect(view.problems.map(\.code) == ["threshold-clamped"])
        #expect(view.rules.first?.limit == 500)

        let (ann, bea) = (Person(kind: .user, name: "ann"), Person(kind: .user, name: "bea"))
        _ = try await world.engine.issueOverride(
            OverrideOrder(term: .day, silo: "ad", person: ann, second: bea, reason: "new titles"))
        let unlocked = try await world.sync(.full, .preview, scans: false)
        #expect(world.outcomes(unlocked, "title") == [.skipped: 501])
    }

    @Test("lookback 4.9 % + 4.9 %: the second delta is held, an hour later it would not be")
    func lookback() async throws {
        let world = try await EngineWorld([EngineWorld.title(.share(basisPoints: 500))])
        world.hire(1...1_000)
        world.equip(1...1_000)
        try await world.sync()
        for number in 1...49 { world.set(number, "title", "Head") }
        #expect(world.outcomes(try await world.sync(.delta), "title") == [.executed: 49])
        world.time.advance(by: .seconds(3_599))
        for number in 51...99 { world.set(number, "title", "Head") }
        let preview = try await world.sync(.delta, .preview)
        #expect(world.outcomes(preview, "title") == [.suspended: 49])
        #expect(preview.rules.first?.lookback == 49)
        world.time.advance(by: .seconds(1))
        #expect(world.outcomes(try await world.sync(.delta), "title") == [.executed: 49])
    }

    @Test("approved not in lookback: what a person let through holds no later delta")
    func approvedNotCounted() async throws {
        let world = try await EngineWorld([EngineWorld.title(.count(10))])
        world.hire(1...100)
        world.equip(1...100)
        try await world.sync()
        for number in 1...30 { world.set(number, "title", "Head") }
        let held = try await world.sync(.delta)
        #expect(world.outcomes(held, "title") == [.suspended: 30])
        try await world.decide(.approve, .hold(sync: held.id, rule: "title", exceptVIP: false))
        #expect(world.outcomes(try await world.sync(.delta), "title") == [.executed: 30])
        for number in 41...50 { world.set(number, "title", "Head") }
        #expect(world.outcomes(try await world.sync(.delta), "title") == [.executed: 10])
    }

    @Test("suspended identity re-triggers: no second action, no second hold; other identities pass")
    func retrigger() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(2))])
        world.hire(1...3)
        let first = try await world.sync()
        let ids = try await world.actions().map(\.id)
        world.time.advance(by: .seconds(60))
        world.hire(4...5)
        let second = try await world.sync()
        #expect(world.outcomes(second, "join") == [.suspended: 3, .executed: 2])
        #expect(try await world.actions().map(\.id) == ids)
        #expect(try await world.engine.holds().map(\.sync) == [first.id])
    }

    @Test("VIP who lost what made them one is still asked about; everybody else of the rule runs")
    func stickyVIP() async throws {
        let world = try await EngineWorld([EngineWorld.leave()])
        world.hire(1...3)
        world.hire([9], level: "1")
        world.equip([1, 2, 3, 9])
        try await world.sync()
        world.hr.remove(EngineWorld.person, "E1")
        world.hr.remove(EngineWorld.person, "E9")
        let view = try await world.sync()
        #expect(world.outcomes(view, "leave") == [.executed: 1, .suspended: 1])
        let held = try #require(try await world.actions().first)
        #expect(held.isVIP && held.reason == .vip && held.changes.first?.name == "uid=p9,ou=people")
    }

    @Test("preview changes nothing: no action, no write, no throttle, no timer")
    func preview() async throws {
        var rule = EngineWorld.join(.count(1))
        rule.throttle = .period(.seconds(3_600))
        let world = try await EngineWorld([rule])
        world.hire(1...2)
        #expect(world.outcomes(try await world.sync(.full, .preview), "join") == [.suspended: 2])
        #expect(try await world.actions(Set(ActionState.allCases)).isEmpty)
        world.hr.remove(EngineWorld.person, "E2")
        #expect(world.outcomes(try await world.sync(.full, .preview), "join") == [.skipped: 1])
        #expect(world.ad.written.isEmpty)
        #expect(world.outcomes(try await world.sync(), "join") == [.executed: 1])
    }

    @Test("who arrives while a delta runs is in the same delta, until it is sealed")
    func enrolment() async throws {
        let world = try await EngineWorld([EngineWorld.join(.count(2))])
        world.hire(1...1)
        try await world.sync()
        world.hire(2...3)
        let (hr, keeper) = (world.hr, world.keeper)
        // While the directory is read (after the list was), one more person is saved.
        world.ad.change {
            $0.onScan = {
                hr.put(EngineWorld.person, "E4", ["id": ["E4"], "status": ["active"], "title": ["x"], "login": ["p4"]])
                let late = hr.objects(EngineWorld.person).first { $0.anchor == "E4" }
                try? await keeper.refresh(EngineWorld.person, anchor: "E4", late)
            }
        }
        let view = try await world.sync(.delta)
        #expect(world.outcomes(view, "join") == [.suspended: 3])
    }

    @Test("a scan that ends half way deletes nobody")
    func brokenScan() async throws {
        let world = try await EngineWorld([EngineWorld.leave(.none)])
        world.hire(1...20)
        world.equip(1...20)
        try await world.sync()
        for number in 11...20 { world.hr.remove(EngineWorld.person, "E\(number)") }
        world.hr.change {
            $0.scanFailure = ScanFailure(code: "size_limit", text: "the server sent 10 of them", isPassing: true)
        }
        let view = try await world.sync()
        #expect(view.rules.first?.triggered == 0)
        #expect(view.problems.contains { $0.code == "scan-incomplete" })
        #expect(world.accounts == 20)
    }

    @Test("expressions that fail for too many hold the rule; nothing runs for those that failed")
    func errorRate() async throws {
        var rule = EngineWorld.title()
        rule.flows = [Rule.Flow(attribute: "title", expression: "hr.grade + ' ' + hr.title")]
        let world = try await EngineWorld([rule])
        world.hire(1...40)
        world.equip(1...40)
        for number in 1...25 { world.set(number, "grade", "senior") }
        let view = try await world.sync()
        #expect(world.outcomes(view, "title") == [.suspended: 25])
        #expect(view.problems.count { $0.code == "eval-error" } == 15)
        #expect(try await world.actions().allSatisfy { $0.reason == .errorRate })
    }
}
