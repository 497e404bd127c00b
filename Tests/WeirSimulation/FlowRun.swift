import NIOCore
import Synchronization
import WeirDelivery
import WeirExpressions
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// One run of one world of routes and composed destinations, in two acts: trouble, then calm. `run` returns what broke,
/// or `nil`.
final class FlowRun: Sendable {
    private struct State {
        var broken: String?
        var offered: Set<String> = []
        var kept: Set<String> = []
        var resent = 0
        var finishedProducers = 0
    }

    private let simulation: Simulation
    private let plan: FlowWorld
    private let state = Mutex(State())
    private let registry: GateRegistry
    private let time: SimulatedTime
    private let receivers: [SimulatedReceiver]
    private let chains: [DeliveryChain]
    private let composed: [ComposedDestination]
    private let routes: Routes

    /// All gates must be open and all queues empty so long after the last fault.
    private static let calmMost = Duration.seconds(900)

    init(seed: UInt64) throws {
        let simulation = Simulation(seed: seed)
        var random = SplitMix(seed: seed &* 0x51_7CC1_B727)
        let plan = FlowWorld(&random)
        let registry = GateRegistry()
        let time = SimulatedTime(simulation)
        let disk = SimulatedDisk(seed: seed)
        let checks = Checks()
        let receivers = plan.leaves.enumerated().map { place, leaf in
            SimulatedReceiver("d\(place)", simulation, faults: leaf.faults, onAttempt: { checks.run?.attempted(place) })
        }
        chains = zip(plan.leaves, receivers).map { leaf, receiver in
            DeliveryChain(
                name: receiver.name,
                plan: DestinationPlan(
                    shape: leaf.shape, endpoints: [EndpointPlan(name: receiver.name) { _ in receiver }]),
                settings: leaf.settings, type: "simulated", queueDirectory: "/data/\(receiver.name)",
                resolver: FixedAddresses(), world: .simulated(simulation, files: disk), registry: registry)
        }
        var known: [String: any GaugedIntake] = [:]
        for chain in chains { known[chain.name] = chain }
        var composed: [ComposedDestination] = []
        for one in plan.composed {
            let members = one.members.compactMap { known[$0] }
            let inner: any GaugedIntake
            switch one.kind {
            case .fallback: inner = FallbackIntake(name: one.name, members: members, time: time)
            case .balance:
                inner = BalanceIntake(name: one.name, members: members.map { ($0, 1) }, time: time)
            case .router:
                let rules = try members.enumerated().map { place, member in
                    RouteRule(
                        name: "r\(place)", condition: try Matcher("event.k % \(members.count) == \(place)"),
                        to: [member])
                }
                inner = Routes(name: one.name, rules: rules, time: time)
            }
            let destination = ComposedDestination(
                one.kind, inner, members: one.members.map { .init(name: $0) }, senders: [], registry: registry)
            known[one.name] = destination
            composed.append(destination)
        }
        self.composed = composed
        routes = Routes(
            name: "routes",
            rules: try plan.rules.enumerated().map { place, rule in
                RouteRule(
                    name: "rule\(place)", condition: try rule.condition.text.map { try Matcher($0) },
                    to: rule.to.compactMap { known[$0] }, isFinal: rule.isFinal)
            }, otherwise: plan.otherwise.flatMap { known[$0] }, time: time)
        self.registry = registry
        self.simulation = simulation
        self.plan = plan
        self.time = time
        self.receivers = receivers
        checks.set(self)
    }

    /// Lets receivers look back at the run that made them.
    private final class Checks: Sendable {
        private let weakRun = Mutex<Weak>(Weak())
        struct Weak: Sendable { weak var run: FlowRun? }
        func set(_ run: FlowRun) { weakRun.withLock { $0.run = run } }
        var run: FlowRun? { weakRun.withLock { $0.run } }
    }

    func run() -> String? {
        simulation.note("\(plan)")
        let hasEnded = simulation.run(limit: .seconds(7_200)) { await self.acts() }
        if let broken = state.withLock({ $0.broken }) { return simulation.failure(broken) }
        return hasEnded ? nil : simulation.failure("nothing moves any more: \(summary)")
    }

    var steps: Int { simulation.steps }

    private func fail(_ what: @autoclosure () -> String) {
        guard state.withLock({ $0.broken }) == nil else { return }
        let text = "\(what()) (noticed at \(simulation.now))"
        state.withLock { $0.broken = text }
    }

    // MARK: The acts

    private func acts() async {
        await withTaskGroup(of: Void.self) { group in
            for chain in chains {
                do { try await chain.open() } catch { return fail("\(chain.name) does not open: \(error)") }
                group.addTask { await chain.run() }
            }
            for destination in composed { destination.publish() }
            for producer in 0..<plan.producers { group.addTask { await self.produce(producer) } }
            if plan.hasFaults { await trouble() }
            await calm()
            for chain in chains { await chain.stop(drainWithin: .seconds(10)) }
            group.cancelAll()
        }
        check()
    }

    private func trouble() async {
        let names = registry.ids
        for step in 0..<10 {
            try? await time.sleep(for: .milliseconds(Int64(1_000 + simulation.random() % 4_000)))
            if state.withLock({ $0.broken }) != nil { return }
            if plan.holds {
                let name = names[Int(simulation.random() % UInt64(names.count))]
                _ = registry.order(step % 2 == 0 ? .hold(by: "a test") : .release(by: "a test"), name)
            }
            if step % 3 == 2 { mend() }
        }
    }

    /// A person puts right what was refused, and says so.
    private func mend() {
        for (chain, receiver) in zip(chains, receivers) where chain.gateState == .suspended {
            receiver.mendCredentials()
            chain.order(.release(by: "a test"))
        }
    }

    private func calm() async {
        simulation.note("calm")
        for receiver in receivers { receiver.calm() }
        for chain in chains { chain.order(.release(by: "a test")) }
        let end = time.now + Self.calmMost
        while time.now < end, state.withLock({ $0.broken }) == nil {
            try? await time.sleep(for: .seconds(1))
            if isQuiet { return }
            mend()
        }
        fail("900 s after the last fault: \(summary)")
    }

    private var isQuiet: Bool {
        state.withLock { $0.finishedProducers } == plan.producers
            && registry.readings.allSatisfy { reading in
                reading.state == .open && reading.counters.heldEvents == 0 && (reading.queue?.events ?? 0) == 0
            }
    }

    private var summary: String {
        let gates = registry.readings.map { "\($0.id) \($0.state.rawValue) (\($0.reason)) \($0.reopens)" }
        let done = state.withLock { $0.finishedProducers }
        return "\(done) of \(plan.producers) producers done, \(gates) in the world \(plan)"
    }

    // MARK: Producers

    /// Sends its events, and again what was lost or refused, as a sender with acknowledgements does.
    private func produce(_ producer: Int) async {
        for number in 0..<plan.batches {
            let count = 1 + Int(simulation.random() % UInt64(plan.eventsMost))
            let padding = String(repeating: "x", count: Int(simulation.random() % 200))
            let events = (0..<count).map { index in
                "{\"id\":\"\(producer)-\(number)-\(index)\",\"k\":\(simulation.random() % 8),\"x\":\"\(padding)\"}"
            }
            state.withLock { $0.offered.formUnion(events) }
            while !Task.isCancelled {
                if await deliver(events) { break }
                state.withLock { $0.resent += 1 }
                try? await time.sleep(for: .milliseconds(500))
            }
            if Task.isCancelled { return }
            try? await time.sleep(for: .milliseconds(Int64(simulation.random() % 2_000)))
        }
        state.withLock { $0.finishedProducers += 1 }
    }

    private func deliver(_ events: [String]) async -> Bool {
        let batch = Batch.texts(
            events, context: BatchContext(kind: .json, source: "producer", received: simulation.wall))
        let deadline = plan.hasFaults && simulation.random() % 3 == 0 ? simulation.now + .seconds(10) : nil
        do throws(IntakeRefusal) {
            let receipt = try await routes.accept(batch, deadline: deadline)
            guard await receipt.settled() == .kept else { return false }
            state.withLock { $0.kept.formUnion(events) }
            return true
        } catch {
            return false
        }
    }

    // MARK: Safety

    private func attempted(_ place: Int) {
        let reading = chains[place].reading
        if reading.counters.unaccounted != 0 {
            fail("the law of conservation is broken at \(reading.id): \(reading.counters)")
        }
        // A clone to one that drops or cannot wait is let in whole; all others are cut to the buffer.
        let memory = chains[place].memory
        // On its way to the disk one batch passes beside what hangs in flight.
        let passing = plan.leaves[place].settings.onBackpressure == .queue ? memory.most : 0
        if plan.leaves[place].settings.onBackpressure != .drop, memory.bytes > memory.most + passing {
            fail("more is in memory at \(reading.id) than the buffer allows: \(memory)")
        }
    }

    private func check() {
        guard state.withLock({ $0.broken }) == nil else { return }
        let state = state.withLock { $0 }
        let arrivals = receivers.map(\.arrivals)
        let arrived = arrivals.map { Set($0) }
        let copies = (0..<8).map { plan.copies(of: $0) }
        var missing: [Set<Int>: Int] = [:]
        for event in state.kept {
            for leaves in copies[k(event)] where !leaves.contains(where: { arrived[$0].contains(event) }) {
                missing[leaves, default: 0] += 1
            }
        }
        for (leaves, count) in missing {
            // Where the operator allows it, what is missing was dropped and counted there.
            let dropped = leaves.reduce(0) { sum, leaf in
                plan.leaves[leaf].mayDrop ? sum + Int(chains[leaf].reading.counters.droppedTotal) : sum
            }
            if count > dropped { fail("\(count) events are missing at \(leaves.sorted()), \(dropped) were dropped") }
        }
        for (place, events) in arrived.enumerated() {
            if let strange = events.subtracting(state.offered).first {
                fail("an event arrived that nobody sent: \(strange)")
            }
            let astray = events.first { event in !copies[k(event)].contains { $0.contains(place) } }
            if let astray { fail("an event arrived at d\(place), where no route leads it: \(astray)") }
        }
        checkCounts(state, arrivals, copies)
    }

    /// Without faults nothing is sent twice: each copy arrives once, and each is counted once.
    private func checkCounts(_ state: State, _ arrivals: [[String]], _ copies: [[Set<Int>]]) {
        guard !plan.hasFaults, state.resent == 0 else { return }
        let expected = state.offered.reduce(0) { $0 + copies[k($1)].count }
        let counters = chains.map(\.reading.counters)
        let dropped = counters.reduce(0) { $0 + Int($1.droppedTotal) }
        let count = arrivals.reduce(0) { $0 + $1.count }
        if count + dropped != expected {
            fail("\(expected) copies were due, \(count) arrived and \(dropped) were dropped")
        }
        let delivered = counters.reduce(0) { $0 + Int($1.deliveredEvents) }
        if delivered != count { fail("\(delivered) events count as delivered, \(count) arrived") }
        let taken = counters.reduce(0) { $0 + Int($1.takenEvents) }
        if taken != expected { fail("\(taken) events count as taken, \(expected) copies were due") }
    }

    private func k(_ event: String) -> Int {
        guard let key = event.firstRange(of: "\"k\":") else { return 0 }
        return event[key.upperBound...].first?.wholeNumberValue ?? 0
    }
}
