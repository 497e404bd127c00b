import Testing
import WeirGates
import WeirWorld

private let noon = WallTime(nanoseconds: 1_000_000_000)

private func gate(_ limit: Int64) -> Gate { Gate(limit: Limit(limit, .bytes), at: noon) }

@Suite("A gate")
struct GateTests {
    @Test("enters each state at its mark and leaves it at the lower one")
    func hysteresis() {
        var gate = gate(100)
        let steps: [(level: Int64, state: GateState)] = [
            (0, .open), (74, .open), (75, .filling), (60, .filling), (59, .open), (99, .filling), (100, .blocking),
            (90, .blocking), (75, .blocking), (74, .filling), (59, .open), (250, .blocking), (0, .open),
        ]
        for (index, step) in steps.enumerated() {
            _ = gate.observe(.init(level: step.level), at: noon + .seconds(index))
            #expect(gate.state == step.state, "step \(index): level \(step.level)")
        }
    }

    @Test("reports a change of state once, with its reason, and keeps since when")
    func transitions() throws {
        var gate = gate(100)
        #expect(gate.observe(.init(level: 10), at: noon + .seconds(1)) == nil)
        let trouble = Reason("http_503", "The receiver answers 503.")
        let seen = gate.observe(.init(level: 10, trouble: trouble), at: noon + .seconds(2))
        let change = try #require(seen)
        #expect(change.from == .open && change.to == .blocking && change.reason == trouble)
        #expect(gate.observe(.init(level: 20, trouble: trouble), at: noon + .seconds(3)) == nil)
        #expect(gate.since == noon + .seconds(2))
    }

    @Test("lets people come before receivers, and what a person must mend before what passes by itself")
    func precedence() {
        let trouble = Reason("http_503", "")
        let wrong = Reason("unauthorized", "")
        let person = Reason("paused", "")
        for mask in 0..<16 {
            var gate = gate(10)
            let seen = Gate.Observation(
                level: mask & 8 == 0 ? 1 : 10, trouble: mask & 1 == 0 ? nil : trouble, held: .dropping,
                isQueueing: false, paused: mask & 4 == 0 ? nil : person, suspended: mask & 2 == 0 ? nil : wrong)
            _ = gate.observe(seen, at: noon)
            let expected: GateState =
                if mask & 4 != 0 { .paused } else if mask & 2 != 0 { .suspended } else if mask & 9 != 0 {
                    .dropping
                } else {
                    .open
                }
            #expect(gate.state == expected, "mask \(mask)")
        }
    }

    @Test("that cannot be measured counts as full")
    func unknown() {
        var gate = gate(10)
        _ = gate.observe(.init(level: nil), at: noon)
        #expect(gate.state == .unknown && gate.state.isHeld)
        _ = gate.observe(.init(level: 0), at: noon)
        #expect(gate.state == .open)
    }

    @Test("stays queueing while the disk queue drains, though the receiver is well")
    func draining() {
        var gate = gate(10)
        _ = gate.observe(.init(level: 0, held: .queueing, isQueueing: true), at: noon)
        #expect(gate.state == .queueing && gate.reason.code == "draining")
        _ = gate.observe(.init(level: 0, held: .queueing), at: noon)
        #expect(gate.state == .open)
    }

    @Test("does not flap when the level trembles round a mark")
    func noFlapping() {
        var gate = gate(1000)
        var changes = 0
        for step in 0..<1000 {
            let level: Int64 = 995 + Int64(step % 10)
            if gate.observe(.init(level: level), at: noon + .milliseconds(step)) != nil { changes += 1 }
        }
        #expect(changes <= 2)
    }
}

@Suite("Counters")
struct FlowCountersTests {
    @Test("are whole when everything taken is delivered, held, dropped or dead-lettered")
    func conservation() {
        var counters = FlowCounters()
        counters.takenEvents = 100
        counters.recoveredEvents = 10
        counters.deliveredEvents = 60
        counters.deadLetteredEvents = 5
        counters.droppedEvents = ["queue_full": 15, "no_route": 10]
        counters.heldEvents = 20
        #expect(counters.unaccounted == 0)
        counters.heldEvents = 19
        #expect(counters.unaccounted == 1)
    }
}
