import Testing
import WeirIdentity
import WeirWorld

private let noon = CivilDate.wall(year: 2026, month: 11, day: 18, hour: 12)

@Suite("The throttle")
struct ThrottleCatchTests {
    private let half = Duration.seconds(1_800)

    @Test("passes exactly when the time has elapsed, and what never ran")
    func boundary() {
        #expect(ThrottleCatch.verdict(last: nil, period: half, now: noon) == .passes)
        #expect(ThrottleCatch.verdict(last: noon, period: .zero, now: noon) == .passes)
        #expect(ThrottleCatch.verdict(last: noon, period: half, now: noon + half) == .passes)
        #expect(
            ThrottleCatch.verdict(last: noon, period: half, now: noon + .nanoseconds(half.nanoseconds - 1))
                == .waits(until: noon + half, last: noon))
    }

    @Test("holds for one period at most when the clock was put back, counted once")
    func clockBack() throws {
        let future = noon + .seconds(86_400 * 365)
        guard case .waits(let until, let last) = ThrottleCatch.verdict(last: future, period: half, now: noon) else {
            Issue.record("it passed")
            return
        }
        #expect(until == noon + half)
        #expect(ThrottleCatch.verdict(last: last, period: half, now: until) == .passes)
    }

    @Test("of two identities that became one keeps the later attempt")
    func merge() {
        #expect(ThrottleCatch.merged(noon, noon + half) == noon + half)
        #expect(ThrottleCatch.merged(nil, noon) == noon)
        #expect(ThrottleCatch.merged(nil, nil) == nil)
    }
}

@Suite("The VIP catch")
struct VIPCatchTests {
    @Test("asks for who is important now, was in the last good state, or was seen to be lately; a failure means yes")
    func table() {
        #expect(VIPCatch.isVIP(new: .yes, old: .absent, until: nil, now: noon))
        #expect(VIPCatch.isVIP(new: .failed, old: .absent, until: nil, now: noon))
        #expect(VIPCatch.isVIP(new: .no, old: .yes, until: nil, now: noon))
        #expect(VIPCatch.isVIP(new: .no, old: .no, until: noon + .seconds(1), now: noon))
        #expect(!VIPCatch.isVIP(new: .no, old: .no, until: noon, now: noon))
        #expect(!VIPCatch.isVIP(new: .no, old: .absent, until: nil, now: noon))
    }
}

@Suite("Count()")
struct CountTests {
    private let hour = Duration.seconds(3_600)

    @Test("gives 100 and then 101, and goes on past the limit")
    func counts() {
        var windows = CountWindows()
        let values = (1...101).map { _ in windows.count("new", isTrue: true, period: hour, now: noon) }
        #expect(values[99] == 100)
        #expect(values[100] == 101)
    }

    @Test("changes nothing for false")
    func falseBranch() {
        var windows = CountWindows()
        let value1 = windows.count("new", isTrue: false, period: hour, now: noon)
        #expect(value1 == 0)
        let value2 = windows.count("new", isTrue: true, period: hour, now: noon)
        #expect(value2 == 1)
        let value3 = windows.count("new", isTrue: false, period: hour, now: noon)
        #expect(value3 == 1)
    }

    @Test("begins anew a period after the first increment, not before")
    func periodReset() {
        var windows = CountWindows()
        _ = windows.count("new", isTrue: false, period: hour, now: noon)
        _ = windows.count("new", isTrue: true, period: hour, now: noon + .seconds(600))
        let value4 = windows.count("new", isTrue: true, period: hour, now: noon + .seconds(4_199))
        #expect(value4 == 2)
        let value5 = windows.count("new", isTrue: true, period: hour, now: noon + .seconds(4_200))
        #expect(value5 == 1)
    }

    @Test("shares a context by its name, and keeps others apart")
    func contexts() {
        var windows = CountWindows()
        _ = windows.count("a", isTrue: true, period: hour, now: noon)
        let value6 = windows.count("a", isTrue: true, period: hour, now: noon)
        #expect(value6 == 2)
        let value7 = windows.count("b", isTrue: true, period: hour, now: noon)
        #expect(value7 == 1)
    }

    @Test("is taken out of a condition, wherever it stands; texts and other names are left alone")
    func slots() throws {
        let slots = try CountSlots(
            "hr.x == 'Count(' && Count(hr.a in ['x, y', \")\"], \"new\", duration(\"1h\")) <= 100 && MyCount(1) && "
                + "!(Count( f(hr.b, 2) , 'b','00:30:00') > 5)")
        #expect(slots.rest == "hr.x == 'Count(' && count__0 <= 100 && MyCount(1) && !(count__1 > 5)")
        #expect(slots.slots.map(\.expression) == ["hr.a in ['x, y', \")\"]", "f(hr.b, 2)"])
        #expect(slots.slots.map(\.context) == ["new", "b"])
        #expect(slots.slots.map(\.period) == [.seconds(3_600), .seconds(1_800)])
    }

    @Test(
        "refuses what is no constant, a period of 0, a count in a count, and what has no end",
        arguments: [
            "Count(true, hr.x, duration('1h'))", "Count(true, 'a', hr.period)", "Count(true, 'a', duration('0s'))",
            "Count(true, 'a')", "Count(Count(true, 'a', duration('1h')) > 1, 'b', duration('1h'))", "Count(true, 'a'",
            "Count(true, '', duration('1h'))",
        ])
    func refused(text: String) {
        #expect(throws: CountSlots.Problem.self) { try CountSlots(text) }
    }
}

@Suite("Quotas")
struct QuotaWindowTests {
    @Test("give so many places in an hour, and again in the next")
    func hour() {
        var window = QuotaWindow(.hour, at: noon)
        let two = Rule.Quota(most: 2, per: .hour)
        let value8 = window.take(two, at: noon)
        #expect(value8)
        let value9 = window.take(two, at: noon + .seconds(3_599))
        #expect(value9)
        let value10 = window.take(two, at: noon + .seconds(3_599))
        #expect(!value10)
        #expect(window.end(.hour) == noon + .seconds(3_600))
        let value11 = window.take(two, at: noon + .seconds(3_600))
        #expect(value11)
    }

    @Test("of a week begin on Monday")
    func week() {
        // 18 November 2026 is a Wednesday.
        #expect(QuotaWindow(.week, at: noon).start == CivilDate.wall(year: 2026, month: 11, day: 16))
        let sunday = CivilDate.wall(year: 2026, month: 11, day: 22, hour: 23)
        #expect(QuotaWindow(.week, at: sunday).start == CivilDate.wall(year: 2026, month: 11, day: 16))
    }

    @Test("are not given twice when the clock is put back")
    func clockBack() {
        var window = QuotaWindow(.day, at: noon)
        let one = Rule.Quota(most: 1, per: .day)
        let value12 = window.take(one, at: noon)
        #expect(value12)
        let value13 = window.take(one, at: noon + .seconds(-86_400))
        #expect(!value13)
        let value14 = window.take(one, at: noon)
        #expect(value14)
    }
}

@Suite("Override keys")
struct OverrideKeyTests {
    private func order(_ term: OverrideOrder.Term, second: String = "bea", reason: String = "migration")
        -> OverrideOrder
    {
        OverrideOrder(
            term: term, silo: "ad", person: Person(kind: .user, name: "ann"),
            second: Person(kind: .user, name: second), reason: reason)
    }

    @Test("hold until 24 hours are over, to the nanosecond, for their silo")
    func day() throws {
        let key = try OverrideKey(order(.day), id: "k", at: noon)
        #expect(key.isActive(for: "ad", at: noon))
        #expect(key.isActive(for: "ad", at: noon + .nanoseconds(86_399_999_999_999)))
        #expect(!key.isActive(for: "ad", at: noon + .seconds(86_400)))
        #expect(!key.isActive(for: "hr", at: noon))
        #expect(try OverrideKey(order(.week), id: "k", at: noon).until == noon + .seconds(7 * 86_400))
        #expect(try OverrideKey(order(.permanent), id: "k", at: noon).until == nil)
    }

    @Test("need a second person who is not the first, and a reason", arguments: ["ann", "ANN", ""])
    func second(name: String) {
        #expect(throws: IdentityRefusal.self) { try OverrideKey(order(.day, second: name), id: "k", at: noon) }
        #expect(throws: IdentityRefusal.self) { try OverrideKey(order(.day, reason: ""), id: "k", at: noon) }
    }
}
