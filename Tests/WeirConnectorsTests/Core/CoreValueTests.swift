import Testing
import WeirGates
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("The registry of connectors")
struct RegistryTests {
    private let wall = WallTime(secondsSince1970: 1_000)

    private func registered(_ id: String = "c") throws -> Registry {
        var registry = Registry()
        _ = try registry.register(ConnectorRegistration(id: id, name: "C"), userID: "u", at: wall)
        return registry
    }

    @Test("keeps state, user and time when a connector registers again")
    func upsert() throws {
        var registry = try registered()
        _ = registry.ping("c", state: "{}", report: ConnectorReport(), at: wall)
        var again = ConnectorRegistration(id: "c", name: "New")
        again.scope = ["a"]
        let record = try registry.register(again, userID: "other", at: wall + .seconds(9))
        #expect(record.registration == again && record.state == "{}" && record.userID == "u")
        #expect(record.registeredAt == wall)
    }

    @Test("takes any text as id, and refuses what is empty, too long or has control characters")
    func ids() throws {
        for id in ["cisakev--1", "..", "ä/ö", String(repeating: "x", count: 256)] { _ = try registered(id) }
        for id in ["", "a\nb", "a\u{0}", String(repeating: "x", count: 257)] {
            #expect(throws: ConnectorFailure.self) { try registered(id) }
        }
    }

    @Test(
        "answers a ping with what was sent, byte for byte",
        arguments: ["null", "", "{\"a\": 1 }", "e\u{301}", "\u{e9}"])
    func echo(state: String) throws {
        var registry = try registered()
        for other in ["e\u{301}", "\u{e9}", state] {
            let answer = registry.ping("c", state: other, report: ConnectorReport(), at: wall)
            #expect(answer.map { Array($0.record.state?.utf8 ?? "?".utf8) } == Array(other.utf8))
        }
        let again = registry.ping("c", state: state, report: ConnectorReport(), at: wall)
        #expect(again?.effect == .heartbeat)
    }

    @Test("drops the sent state once after a reset, then stores again")
    func reset() throws {
        var registry = try registered()
        _ = registry.ping("c", state: "old", report: ConnectorReport(), at: wall)
        let isKnown = registry.resetState("c")
        #expect(isKnown)
        let first = registry.ping("c", state: "old", report: ConnectorReport(), at: wall)
        #expect(first?.record.state == nil && first?.effect == .dropped)
        let second = registry.ping("c", state: "new", report: ConnectorReport(), at: wall)
        #expect(second?.record.state == "new" && second?.effect == .stored)
    }

    @Test("says nothing of a connector it does not know")
    func unknown() {
        var registry = Registry()
        let answer = registry.ping("c", state: nil, report: ConnectorReport(), at: wall)
        let isKnown = registry.resetState("c")
        #expect(answer == nil && !isKnown)
    }

    @Test("keeps a report that is no number out of the ledger")
    func infinite() throws {
        var registry = try registered()
        var report = ConnectorReport()
        report.queueThreshold = .nan
        report.queueSize = .infinity
        let answer = registry.ping("c", state: nil, report: report, at: wall)
        #expect(answer?.record.report?.queueThreshold == 0 && answer?.record.report?.queueSize == 0)
    }

    @Test("hands out heartbeats once")
    func heartbeats() throws {
        var registry = try registered()
        _ = registry.ping("c", state: nil, report: ConnectorReport(), at: wall)
        let taken = (1...2).map { _ in registry.takeUnwritten().map(\.record.id) }
        #expect(taken == [["c"], []])
        registry.wereNotWritten(["c", "removed"])
        let again = registry.takeUnwritten().count
        #expect(again == 1)
    }

    @Test("writes down at once what is new, and a bare heartbeat when the written one has grown old")
    func bareHeartbeats() throws {
        var registry = try registered()
        var report = ConnectorReport()
        func ping(_ registry: inout Registry, after seconds: Int) -> Int {
            _ = registry.ping("c", state: nil, report: report, at: wall + .seconds(seconds))
            return registry.takeUnwritten().count
        }
        let bare = [0, 40, 80, 120, 160, 200, 240, 380].map { ping(&registry, after: $0) }
        #expect(bare == [1, 0, 0, 0, 0, 1, 0, 1])
        report.queueSize = 1
        #expect(ping(&registry, after: 400) == 1)
        report.lastRun = wall
        #expect(ping(&registry, after: 440) == 1)
        #expect(ping(&registry, after: 480) == 0)
        registry.pushed("c")
        #expect(ping(&registry, after: 520) == 1)
        // The clock was set back.
        #expect(ping(&registry, after: -3_600) == 1)
        _ = registry.ping("c", state: nil, report: report, at: wall + .seconds(-3_590))
        let last = (1...2).map { _ in registry.takeUnwritten(isLast: true).map(\.record.lastPing) }
        #expect(last == [[wall + .seconds(-3_590)], []])
    }
}

@Suite("A ping that comes again")
struct PingAgainTests {
    private let wall = WallTime(secondsSince1970: 1_000)

    @Test("moves the heartbeat, and does nothing where it brings news or is to be told any")
    func again() throws {
        var registry = Registry()
        let registration = ConnectorRegistration(id: "c", name: "C")
        _ = try registry.register(registration, userID: "u", at: wall)
        var report = ConnectorReport()
        report.queueThreshold = 8
        let later = wall + .seconds(40)
        func again(_ registry: inout Registry, _ id: String, _ state: String, _ report: ConnectorReport) -> Bool {
            let before = registry[id]
            let isDone = registry.pingAgain(id, state: state, report: report, at: later)
            #expect(isDone || registry[id]?.record == before?.record)
            return isDone
        }
        #expect(!again(&registry, "c", "{}", report))
        _ = registry.ping("c", state: "{}", report: report, at: wall)
        var other = report
        other.isBuffering = true
        #expect(!again(&registry, "c", "{}", other))
        #expect(!again(&registry, "c", "{ }", report))
        #expect(!again(&registry, "d", "{}", report))
        #expect(again(&registry, "c", "{}", report))
        #expect(registry["c"]?.record.lastPing == later)
        let isReset = registry.resetState("c")
        #expect(isReset && !again(&registry, "c", "{}", report))
        registry.remove("c")
        #expect(!again(&registry, "c", "{}", report))
    }
}

@Suite("The books of works")
struct WorkBookTests {
    private let wall = WallTime(secondsSince1970: 1_000)

    @Test("gives every work an id of its own, also within one millisecond and when the clock goes back")
    func ids() {
        var book = WorkBook()
        let ids = [wall, wall, wall + .seconds(-5), wall].map { book.add(connector: "c", name: "", at: $0).id }
        #expect(Set(ids).count == 4)
        #expect(ids[0] == "work_c_1970-01-01T00:16:40.000Z" && ids[1] == "work_c_1970-01-01T00:16:40.001Z")
    }

    @Test("keeps the newest hundred notes of each kind, and none of them long")
    func notes() {
        var work = Work(id: "w", connector: "c", name: "", startedAt: wall)
        for number in 0..<150 { work.note("\(number)", isError: true, at: wall) }
        work.note(String(repeating: "x", count: 100_000), isError: false, at: wall)
        #expect(work.errors.count == 100 && work.errors.first?.text == "50" && work.isInError)
        #expect((work.messages.first?.text.utf8.count ?? 0) < 2_100)
    }

    @Test("lets go of what is complete once it was given away, and takes it back when it could not be written")
    func forgetting() {
        var book = WorkBook()
        let id = book.add(connector: "c", name: "", at: wall).id
        book.change(id, at: wall) { $0.processedAt = wall }
        let taken = book.takeChanged(of: "c")
        #expect(taken.map(\.status) == [.complete] && taken.first?.completedAt == wall && book[id] == nil)
        book.wereNotWritten(taken)
        let again = book.takeChanged(of: "c")
        #expect(again == taken)
    }

    @Test("bounds the works that a connector leaves open, and keeps those with bundles on the way")
    func leaks() {
        var book = WorkBook()
        let first = book.add(connector: "c", name: "", at: wall).id
        book.change(first, at: wall) { $0.pushed = 1 }
        for _ in 0..<300 { _ = book.add(connector: "c", name: "", at: wall) }
        let taken = book.takeChanged(of: "c")
        #expect(taken.count == 301)
        #expect(book.works(of: "c").count == WorkBook.openMost && book[first] != nil)
    }
}

@Suite("The directory of a connector")
struct ConnectorDirectoryTests {
    @Test("is its own for every id, beneath the root, with names that a file system takes")
    func names() {
        let ids = [
            "a", "A", ".", "..", "a.b", "a/b", "a%2Fb", "~dead-letters", "ü", String(repeating: "/", count: 256),
            String(repeating: ".", count: 256), String(repeating: "/", count: 255) + "a",
        ]
        let names = ids.map { ConnectorDirectory.escaped($0) }
        #expect(Set(names).count == ids.count)
        for part in names.flatMap({ $0.split(separator: "/", omittingEmptySubsequences: false) }) {
            #expect((1...210).contains(part.utf8.count) && !part.hasPrefix(".") && !part.hasPrefix("~"))
        }
        #expect(ConnectorDirectory.escaped("a.b-c_1") == "a.b-c_1")
    }
}

@Suite("Fair turns")
struct FairTurnsTests {
    private func run(_ turns: inout FairTurns<String>, _ count: Int, cost: (String) -> Int) -> [String] {
        (0..<count).compactMap { _ in
            guard let id = turns.next() else { return nil }
            turns.finished(id, cost: cost(id), hasMore: true)
            return id
        }
    }

    @Test("go round when turns cost the same")
    func roundRobin() {
        var turns = FairTurns<String>()
        for id in ["a", "b", "c"] { turns.ready(id, share: 1) }
        let order = run(&turns, 6) { _ in 1 << 20 }
        #expect(order == ["a", "b", "c", "a", "b", "c"])
    }

    @Test("share bytes, not turns: one huge import gets no more than a small one")
    func bytes() {
        var turns = FairTurns<String>()
        turns.ready("huge", share: 1)
        turns.ready("small", share: 1)
        let order = run(&turns, 110) { $0 == "huge" ? 1 << 20 : 1 << 17 }
        let huge = order.filter { $0 == "huge" }.count
        #expect((11...14).contains(huge))
    }

    @Test("follow the weights")
    func weights() {
        var turns = FairTurns<String>()
        turns.ready("one", share: FairTurns<String>.share(weight: 1, priority: 0))
        turns.ready("three", share: FairTurns<String>.share(weight: 3, priority: 0))
        let order = run(&turns, 400) { _ in 1 << 20 }
        #expect((295...305).contains(order.filter { $0 == "three" }.count))
    }

    @Test("prefer a higher priority and starve nobody")
    func priority() {
        var turns = FairTurns<String>()
        turns.ready("low", share: FairTurns<String>.share(weight: 1, priority: -1))
        turns.ready("high", share: FairTurns<String>.share(weight: 1, priority: 1))
        let order = run(&turns, 1_000) { _ in 1 << 20 }
        #expect((2...10).contains(order.filter { $0 == "low" }.count))
    }

    @Test("serve one that comes back soon, and do not repay its rest")
    func rest() {
        var turns = FairTurns<String>()
        turns.ready("busy", share: 1)
        _ = run(&turns, 100) { _ in 1 << 20 }
        turns.ready("back", share: 1)
        let order = run(&turns, 6) { _ in 1 << 20 }
        #expect((3...4).contains(order.filter { $0 == "back" }.count))
    }

    @Test("run a queue once at a time, and again when work came during its turn")
    func again() {
        var turns = FairTurns<String>()
        turns.ready("a", share: 1)
        var order = [turns.next()]
        turns.ready("a", share: 1)
        order.append(turns.next())
        turns.finished("a", cost: 1, hasMore: false)
        order.append(turns.next())
        turns.finished("a", cost: 1, hasMore: false)
        order.append(turns.next())
        #expect(order == ["a", nil, "a", nil] && turns.isEmpty)
    }

    @Test("take any weight from outside")
    func wildWeights() {
        for weight in [0, -1, .nan, .infinity, 1e300] {
            let share = FairTurns<String>.share(weight: weight, priority: 99)
            #expect(share.isFinite && share > 0)
        }
    }
}

@Suite("The gate of a connector")
struct ConnectorGateTests {
    private let wall = WallTime(secondsSince1970: 0)

    private func gate(_ threshold: Int64, hard: Int64? = nil) -> ConnectorGate {
        ConnectorGate(
            marks: .init(threshold: Limit(threshold, .bytes), hardLimit: hard.map { Limit($0, .bytes) }), at: wall)
    }

    @Test("puts runs off from exactly the threshold on, and lets them go one byte below it")
    func threshold() {
        var gate = gate(1_000)
        _ = gate.measured(999, at: wall)
        #expect(gate.run == .pass && gate.state == .filling)
        _ = gate.measured(1_000, at: wall)
        #expect(gate.run == .postpone && gate.state == .buffering && gate.reason.code == "queue_threshold")
        _ = gate.measured(999, at: wall)
        #expect(gate.run == .pass)
    }

    @Test("holds pushes from exactly the hard limit on, counting what is on its way in")
    func hardLimit() {
        var gate = gate(1_000, hard: 1_500)
        _ = gate.measured(1_499, at: wall)
        #expect(gate.push(reserved: 0) == .pass && gate.push(reserved: 1) == .wait)
        _ = gate.measured(1_500, at: wall)
        #expect(gate.push(reserved: 0) == .wait && gate.state == .blocking)
    }

    @Test("counts as full when its level is unknown, a person holds it, or the threshold makes no sense")
    func closed() {
        var gate = gate(1_000)
        _ = gate.measured(nil, at: wall)
        #expect(gate.run == .postpone && gate.push(reserved: 0) == .wait && gate.state == .unknown)
        _ = gate.measured(0, at: wall)
        _ = gate.paused(by: "ada", at: wall)
        #expect(gate.run == .postpone && gate.push(reserved: 0) == .wait && gate.state == .paused)
        _ = gate.released(at: wall)
        #expect(gate.run == .pass && gate.push(reserved: .max) == .wait)
        for megabytes in [0, -1, .nan, 1e-12] { #expect(ConnectorGate.Marks.bytes(megabytes: megabytes) == 1) }
        #expect(ConnectorGate.Marks.bytes(megabytes: .infinity) > 1 << 60)
    }

    @Test("takes fractions of a megabyte and twice the threshold as hard limit")
    func fractions() {
        #expect(
            ConnectorGate.Marks.bytes(megabytes: 0.0000015) == 2 && ConnectorGate.Marks.bytes(megabytes: 8) == 8_000_000
        )
        #expect(gate(1_000).marks.hardLimit.amount == 2_000)
        #expect(ConnectorGate.megabytes(9_909_999) == "9.90 MB")
    }
}
