import Synchronization
import Testing
import WeirDelivery
import WeirExpressions
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

@Suite("Routes")
struct RouteTests {
    private func batch(_ texts: [String]) -> Batch {
        .texts(texts, context: BatchContext(kind: .json, source: "edge", received: WallTime(nanoseconds: 0)))
    }

    private let mixed = (0..<10).map { #"{"n":\#($0),"level":"\#($0 % 2 == 0 ? "error" : "info")"}"# }

    @Test("Rules are asked in order; a final match goes no further")
    func final() async throws {
        let errors = RecordingIntake(name: "errors")
        let rest = RecordingIntake(name: "rest")
        let routes = Routes(
            name: "routes",
            rules: [
                RouteRule(name: "errors", condition: try Matcher(#"event.level == "error""#), to: [errors]),
                RouteRule(name: "rest", to: [rest]),
            ])
        let receipt = try await routes.accept(batch(mixed))
        #expect(receipt.settlement == .kept)
        #expect(errors.events == mixed.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
        #expect(rest.events == mixed.enumerated().filter { $0.offset % 2 == 1 }.map(\.element))
        #expect(routes.counts.map(\.matched) == [5, 5])
    }

    @Test("A match that is not final is a clone")
    func clone() async throws {
        let errors = RecordingIntake(name: "errors")
        let all = RecordingIntake(name: "all")
        let routes = Routes(
            name: "routes",
            rules: [
                RouteRule(
                    name: "errors", condition: try Matcher(#"event.level == "error""#), to: [errors], isFinal: false),
                RouteRule(name: "all", to: [all]),
            ])
        _ = try await routes.accept(batch(mixed))
        #expect(errors.eventCount == 5)
        #expect(all.events == mixed)
    }

    @Test("What no rule matches goes to the default, or is dropped and counted")
    func otherwise() async throws {
        let errors = RecordingIntake(name: "errors")
        let other = RecordingIntake(name: "other")
        let rule = RouteRule(name: "errors", condition: try Matcher(#"event.level == "error""#), to: [errors])
        _ = try await Routes(name: "routes", rules: [rule], otherwise: other).accept(batch(mixed))
        #expect(other.eventCount == 5)
        let without = Routes(name: "routes", rules: [rule])
        _ = try await without.accept(batch(mixed))
        #expect(without.unroutedEvents == 5)
    }

    @Test("A condition that cannot be evaluated is no match, and counted")
    func failing() async throws {
        let some = RecordingIntake(name: "some")
        let other = RecordingIntake(name: "other")
        let routes = Routes(
            name: "routes", rules: [RouteRule(name: "some", condition: try Matcher("event.n > 3"), to: [some])],
            otherwise: other)
        _ = try await routes.accept(batch([#"{"n":5}"#, #"{"n":"five"}"#, #"{"n":1}"#]))
        #expect(some.eventCount == 1)
        #expect(other.eventCount == 2)
        #expect(routes.counts[0].failed == 1)
    }

    @Test("One rule may have several destinations, and the receipt is kept when all have kept")
    func several() async throws {
        let left = RecordingIntake(name: "left")
        let right = RecordingIntake(name: "right")
        right.setSettlement(nil)
        let routes = Routes(name: "routes", rules: [RouteRule(name: "both", to: [left, right])])
        let receipt = try await routes.accept(batch(mixed))
        #expect(left.eventCount == 10 && right.eventCount == 10)
        #expect(receipt.settlement == nil)
        right.settle(.kept)
        #expect(await receipt.settled() == .kept)
    }

    @Test("One that loses makes the whole receipt lost")
    func loses() async throws {
        let left = RecordingIntake(name: "left")
        let right = RecordingIntake(name: "right")
        right.setSettlement(.lost(Reason("stopped", "It stopped.")))
        let routes = Routes(name: "routes", rules: [RouteRule(name: "both", to: [left, right])])
        let receipt = try await routes.accept(batch(mixed))
        #expect(await receipt.settled() == .lost(Reason("stopped", "It stopped.")))
    }

    @Test("A destination that is held does not keep the others waiting", .timeLimit(.minutes(5)))
    func held() async throws {
        let slow = RecordingIntake(name: "slow")
        let quick = RecordingIntake(name: "quick")
        slow.close()
        let routes = Routes(name: "routes", rules: [RouteRule(name: "both", to: [slow, quick])])
        async let receipt = routes.accept(batch(mixed))
        while quick.eventCount < 10 || slow.waiting == 0 { await Task.yield() }
        #expect(slow.eventCount == 0)
        slow.open()
        #expect(try await receipt.settlement == .kept)
        #expect(slow.eventCount == 10 && quick.eventCount == 10)
    }

    @Test("Now or never: who had room has it, and the receipt says that not all had")
    func nowOrNever() async throws {
        let full = RecordingIntake(name: "full")
        let free = RecordingIntake(name: "free")
        full.close()
        let routes = Routes(name: "routes", rules: [RouteRule(name: "both", to: [full, free])], time: ManualTime())
        let receipt = try await routes.accept(batch(mixed), deadline: .zero)
        #expect(free.eventCount == 10)
        #expect(routes.refusedEvents == 10)
        guard case .lost = receipt.settlement else {
            Issue.record("the receipt is \(String(describing: receipt.settlement))")
            return
        }
    }

    @Test("A fallback uses the next member only while the first is held")
    func fallback() async throws {
        let first = GaugedRecorder("first")
        let second = GaugedRecorder("second")
        let fallback = FallbackIntake(name: "either", members: [first, second], time: ManualTime())
        _ = try await fallback.accept(batch(["a"]))
        first.setPassable(false)
        _ = try await fallback.accept(batch(["b"]))
        first.setPassable(true)
        _ = try await fallback.accept(batch(["c"]))
        #expect(first.intake.events == ["a", "c"])
        #expect(second.intake.events == ["b"])
        #expect(fallback.sentEvents == [2, 1])
        first.setPassable(false)
        second.setPassable(false)
        _ = try await fallback.accept(batch(["d"]))
        #expect(first.intake.events == ["a", "c", "d"], "with all held, the first is waited for")
    }

    @Test("A balancer of destinations shares by weight and passes over those that are held")
    func balance() async throws {
        let light = GaugedRecorder("light")
        let heavy = GaugedRecorder("heavy")
        let balance = BalanceIntake(name: "both", members: [(light, 1), (heavy, 3)], time: ManualTime())
        for number in 0..<400 { _ = try await balance.accept(batch(["event \(number % 10)"])) }
        #expect(light.intake.eventCount == 100 && heavy.intake.eventCount == 300)
        heavy.setPassable(false)
        _ = try await balance.accept(batch(["x"]))
        #expect(light.intake.eventCount == 101)
    }

    @Test("Circles among destinations are found and named")
    func cycles() {
        #expect(RouteCycle.find([("a", ["b", "c"]), ("b", ["d"]), ("c", ["d"]), ("d", [])]) == nil)
        #expect(RouteCycle.find([("a", ["b"]), ("b", ["c"]), ("c", ["b"])]) == ["b", "c", "b"])
        #expect(RouteCycle.find([("self", ["self"])]) == ["self", "self"])
        #expect(RouteCycle.find([("a", ["unknown"])]) == nil)
        let long = (0..<20_000).map { (name: "n\($0)", to: ["n\($0 + 1)"]) }
        #expect(RouteCycle.find(long) == nil)
        #expect(RouteCycle.find(long + [(name: "n20000", to: ["n0"])])?.count == 20_002)
    }
}

/// A recording intake with a gate that a test opens and closes.
private final class GaugedRecorder: GaugedIntake {
    let name: String
    let intake = RecordingIntake()
    private let passable = Mutex(true)

    init(_ name: String) { self.name = name }

    func setPassable(_ isPassable: Bool) { passable.withLock { $0 = isPassable } }
    var isPassable: Bool { passable.withLock { $0 } }
    func hasRoom(for bytes: Int) -> Bool { true }
    var roomMost: Int { .max }
    var takesWhole: Bool { true }
    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        try await intake.accept(batch, deadline: deadline)
    }
}
