import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("Ownership of agents among hubs")
struct OwnershipTests {
    private var registry = RegistryModel()
    private var a = Ownership(.init(hub: "a", instance: "a1", address: "a:1"))
    private var b = Ownership(.init(hub: "b", instance: "b1", address: "b:1"))

    private func at(_ seconds: Double) -> Moment { Moment(nanoseconds: Int64(seconds * 1e9)) }

    /// One beat of a hub, answered at once.
    @discardableResult
    private mutating func beat(_ hub: WritableKeyPath<Self, Ownership>, at seconds: Double) -> [String] {
        let sent = self[keyPath: hub].beat(at: at(seconds), incarnation: "of \(seconds)")
        let answer = registry.take(sent.beat, at: at(seconds))
        return self[keyPath: hub].answered(answer, to: sent)
    }

    @Test("An agent that connects is claimed, and other hubs find the way to it")
    mutating func claims() {
        a.joined("x", connectors: ["c"], process: "p")
        #expect(a.isUrgent && a.epoch(of: "x", at: at(0)) == nil)
        beat(\.a, at: 0)
        #expect(!a.isUrgent)
        #expect(a.epoch(of: "x", at: at(0))?.number == 1)
        beat(\.b, at: 1)
        let routes = b.routes(to: "c", at: at(1))
        #expect(routes.map(\.hub) == ["a"] && b.routes(to: "d", at: at(1)).isEmpty)
        let forward = Forward(agent: "x", owner: "a", epoch: routes[0].epoch)
        #expect(a.judge(forward, at: at(1)) == .ours)
        #expect(b.judge(forward, at: at(1)) == .stale)
    }

    @Test("The last claim wins under a higher number, and what named the one before is stale")
    mutating func moves() {
        a.joined("x", connectors: ["c"], process: "p")
        beat(\.a, at: 0)
        beat(\.b, at: 0)
        let old = b.routes(to: "c", at: at(0))[0].epoch
        b.joined("x", connectors: ["c"], process: "p")
        beat(\.b, at: 1)
        #expect(b.epoch(of: "x", at: at(1))?.number == 2)
        // A has not heard of it, and is asked under its own number: that is what it has to know.
        #expect(a.judge(Forward(agent: "x", owner: "a", epoch: old), at: at(1)) == .ours)
        #expect(b.judge(Forward(agent: "x", owner: "b", epoch: old), at: at(1)) == .stale)
        let dead = beat(\.a, at: 2)
        #expect(dead.isEmpty, "the same process may have links to both")
        #expect(a.judge(Forward(agent: "x", owner: "a", epoch: old), at: at(2)) == .stale)
        #expect(a.routes(to: "c", at: at(2)).map(\.hub) == ["b"])
    }

    @Test("What an older process has left is told as dead")
    mutating func replaced() {
        a.joined("x", connectors: ["c"], process: "old")
        beat(\.a, at: 0)
        b.joined("x", connectors: ["c"], process: "new")
        beat(\.b, at: 1)
        let dead = beat(\.a, at: 2)
        #expect(dead == ["x"])
    }

    @Test("Without an answer for a lease a hub has nothing and knows nobody; then it claims anew")
    mutating func lapses() {
        a.joined("x", connectors: ["c"], process: "p")
        beat(\.a, at: 0)
        beat(\.b, at: 0)
        #expect(a.epoch(of: "x", at: at(9.9)) != nil && b.routes(to: "c", at: at(9.9)).count == 1)
        #expect(a.epoch(of: "x", at: at(10)) == nil && b.routes(to: "c", at: at(10)).isEmpty)
        #expect(!a.isLeased(at: at(10)))
        beat(\.b, at: 11)
        #expect(b.routes(to: "c", at: at(11)).isEmpty)
        beat(\.a, at: 12)
        #expect(a.isUrgent)
        beat(\.a, at: 12)
        #expect(a.epoch(of: "x", at: at(12))?.number == 2)
    }

    @Test("A lease counts from when the beat was sent")
    mutating func leaseFromSending() {
        a.joined("x", connectors: ["c"], process: "p")
        let sent = a.beat(at: at(0), incarnation: "i")
        let answer = registry.take(sent.beat, at: at(3))
        _ = a.answered(answer, to: sent)
        #expect(a.epoch(of: "x", at: at(9.9)) != nil && a.epoch(of: "x", at: at(10.1)) == nil)
    }

    @Test("An answer that was lost is no second claim")
    mutating func lostAnswer() {
        a.joined("x", connectors: ["c"], process: "p")
        _ = registry.take(a.beat(at: at(0), incarnation: "i").beat, at: at(0))
        a.failed("lost")
        #expect(a.failure == "lost")
        beat(\.a, at: 1)
        #expect(a.epoch(of: "x", at: at(1))?.number == 1 && a.failure == nil)
    }

    @Test("A registry that has lost everything gets it back, under higher numbers of another incarnation")
    mutating func loss() {
        a.joined("x", connectors: ["c"], process: "p")
        beat(\.a, at: 0)
        beat(\.b, at: 0)
        let old = b.routes(to: "c", at: at(0))[0].epoch
        registry = RegistryModel()
        beat(\.b, at: 1)
        beat(\.a, at: 1)
        beat(\.a, at: 1)
        beat(\.b, at: 1)
        let new = b.routes(to: "c", at: at(1))[0].epoch
        #expect(new.number > old.number && new.incarnation != old.incarnation)
        #expect(a.judge(Forward(agent: "x", owner: "a", epoch: old), at: at(1)) == .stale)
        #expect(a.judge(Forward(agent: "x", owner: "a", epoch: new), at: at(1)) == .ours)
    }

    @Test("An agent that has gone is free, and one with a link elsewhere is claimed there")
    mutating func adopts() {
        a.joined("x", connectors: ["c"], process: "p")
        b.joined("x", connectors: ["c"], process: "p")
        beat(\.b, at: 0)
        beat(\.a, at: 1)
        beat(\.b, at: 2)
        #expect(b.epoch(of: "x", at: at(2)) == nil && !b.isUrgent)
        a.left("x")
        beat(\.a, at: 3)
        beat(\.b, at: 3)
        #expect(b.isUrgent)
        beat(\.b, at: 3)
        #expect(b.epoch(of: "x", at: at(3))?.number == 3)
    }

    @Test("A hub that stops sets free what it has, at once")
    mutating func leaves() {
        a.joined("x", connectors: ["c"], process: "p")
        beat(\.a, at: 0)
        beat(\.b, at: 0)
        let sent = a.leave(at: at(1), incarnation: "i")
        _ = a.answered(registry.take(sent.beat, at: at(1)), to: sent)
        #expect(a.epoch(of: "x", at: at(1)) == nil && !a.isLeased(at: at(1)))
        beat(\.b, at: 1)
        #expect(b.routes(to: "c", at: at(1)).isEmpty && b.peers.isEmpty)
    }

    @Test("A second process of the same name has nothing while the first one's lease runs")
    mutating func nameTaken() {
        a.joined("x", connectors: ["c"], process: "p")
        beat(\.a, at: 0)
        b = Ownership(.init(hub: "a", instance: "a2", address: "a:2"))
        b.joined("x", connectors: ["c"], process: "q")
        beat(\.b, at: 5)
        #expect(b.isNameTaken && b.epoch(of: "x", at: at(5)) == nil)
        beat(\.b, at: 10)
        #expect(!b.isNameTaken && b.epoch(of: "x", at: at(10))?.number == 2)
        beat(\.a, at: 11)
        #expect(a.isNameTaken)
    }

    @Test("An answer that comes after a later one's changes nothing")
    mutating func lateAnswer() {
        let first = a.beat(at: at(0), incarnation: "i")
        let old = registry.take(first.beat, at: at(0))
        a.joined("x", connectors: ["c"], process: "p")
        let second = a.beat(at: at(1), incarnation: "i")
        _ = a.answered(registry.take(second.beat, at: at(1)), to: second)
        _ = a.answered(old, to: first)
        #expect(a.epoch(of: "x", at: at(10.5)) != nil)
    }
}
