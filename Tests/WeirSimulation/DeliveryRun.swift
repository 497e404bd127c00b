import NIOCore
import Synchronization
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// One run of one world in two acts: trouble, then calm. `run` returns what broke, or `nil`.
final class DeliveryRun: Sendable {
    private struct State {
        var broken: String?
        var chain: DeliveryChain?
        var generation = 0
        /// Every event that a producer has ever offered.
        var offered: Set<String> = []
        /// Events whose receipt said that the producer may forget them.
        var kept: Set<String> = []
        /// Events that a gate in `drop` mode may have dropped.
        var dropped: UInt64 = 0
        var deadLettered: UInt64 = 0
        var pausedFrom = Moment.zero
        var pausedUntil = Moment.zero
        var finishedProducers = 0
        var isCalm = false
    }

    private let simulation: Simulation
    private let plan: DeliveryWorld
    private let disk: SimulatedDisk
    private let state = Mutex(State())
    private let receivers: [SimulatedReceiver]
    private let registry = GateRegistry()
    private let time: SimulatedTime

    /// All gates must be open and all queues empty so long after the last fault.
    private static let calmMost = Duration.seconds(900)

    init(seed: UInt64) {
        let simulation = Simulation(seed: seed)
        var random = SplitMix(seed: seed &* 0x9E37_79B9)
        let plan = DeliveryWorld(&random)
        self.simulation = simulation
        self.plan = plan
        time = SimulatedTime(simulation)
        disk = SimulatedDisk(seed: seed)
        let checks = Checks()
        receivers = (0..<plan.endpoints).map { place in
            SimulatedReceiver(
                "receiver-\(place)", simulation, faults: plan.faults[place], latencyMost: plan.latency,
                onAttempt: { checks.run?.attempted() }, onPause: { checks.run?.paused($0) })
        }
        checks.set(self)
    }

    /// Lets receivers look back at the run that made them.
    private final class Checks: Sendable {
        private let weakRun = Mutex<Weak>(Weak())
        struct Weak: Sendable { weak var run: DeliveryRun? }
        func set(_ run: DeliveryRun) { weakRun.withLock { $0.run = run } }
        var run: DeliveryRun? { weakRun.withLock { $0.run } }
    }

    func run() -> String? {
        simulation.note("\(plan)")
        let hasEnded = simulation.run(limit: .seconds(7_200)) { await self.acts() }
        if let broken = state.withLock({ $0.broken }) { return simulation.failure(broken) }
        if !hasEnded { return simulation.failure("nothing moves any more: \(summary)") }
        return nil
    }

    var steps: Int { simulation.steps }
    var virtualSeconds: Double { simulation.now.nanoseconds.seconds }

    private func fail(_ what: @autoclosure () -> String) {
        let text = state.withLock { $0.broken } == nil ? "\(what()) (noticed at \(simulation.now))" : ""
        state.withLock { if $0.broken == nil { $0.broken = text } }
    }

    // MARK: The acts

    private func acts() async {
        await withTaskGroup(of: Void.self) { group in
            guard await start(in: &group) else { return }
            for producer in 0..<plan.producers { group.addTask { await self.produce(producer) } }
            await trouble(&group)
            await calm()
            await chain?.stop(drainWithin: .seconds(10))
            group.cancelAll()
        }
        check()
    }

    private var chain: DeliveryChain? { state.withLock { $0.chain } }

    private func start(in group: inout TaskGroup<Void>) async -> Bool {
        let endpoints = receivers.enumerated().map { place, receiver in
            EndpointPlan(name: receiver.name, weight: plan.weights[place]) { _ in receiver }
        }
        let chain = DeliveryChain(
            name: "out", plan: DestinationPlan(shape: plan.shape, endpoints: endpoints), settings: plan.settings,
            type: "simulated", queueDirectory: "/data/out", resolver: FixedAddresses(),
            world: .simulated(simulation, files: disk), registry: registry)
        for attempt in 0..<20 {
            do {
                try await chain.open()
                break
            } catch {
                // A full disk or a failing sync may keep the queue from opening: Weir would be started again.
                guard attempt < 19 else {
                    fail("the chain does not open: \(error)")
                    return false
                }
                disk.failSyncs(0)
                disk.setCapacity(.max)
                try? await time.sleep(for: .seconds(1))
            }
        }
        state.withLock { $0.chain = chain }
        group.addTask { await chain.run() }
        return true
    }

    private func trouble(_ group: inout TaskGroup<Void>) async {
        let span = Duration.seconds(30 + Int(simulation.random() % 60))
        let steps = 12
        for step in 0..<steps {
            try? await time.sleep(for: span / steps)
            if state.withLock({ $0.broken }) != nil { return }
            if plan.fillsDisk, step == 3 {
                disk.setCapacity(0)
                simulation.note("the disk is full")
            }
            if plan.fillsDisk, step == 6 {
                disk.setCapacity(.max)
                simulation.note("the disk has room")
            }
            if plan.failsSyncs, step % 4 == 1 { disk.failSyncs(1 + Int(simulation.random() % 3)) }
            if plan.holds.dropFirst(step).first == true { chain?.order(.hold(by: "a test")) }
            if step >= 2, plan.holds.dropFirst(step - 2).first == true { release() }
            if step % 3 == 2, chain?.gateState == .suspended {
                for receiver in receivers { receiver.mendCredentials() }
                release()
            }
            if plan.crashes > 0, step == 5 || (plan.crashes > 1 && step == 9) { await crash(&group) }
        }
    }

    /// A person who releases says "try at once", also during a pause.
    private func release() {
        state.withLock { $0.pausedUntil = .zero }
        chain?.order(.release(by: "a test"))
    }

    private func crash(_ group: inout TaskGroup<Void>) async {
        guard let old = chain else { return }
        count(old)
        state.withLock { state in
            state.generation += 1
            state.chain = nil
            state.pausedUntil = .zero
        }
        simulation.note(plan.losesPower ? "the power goes" : "Weir is killed")
        if plan.losesPower { disk.crash() } else { disk.kill() }
        // The old process is gone: nothing it does reaches the disk any more, and nobody believes its receipts.
        await old.stop(drainWithin: .zero)
        if plan.losesPower { disk.crash() } else { disk.kill() }
        _ = await start(in: &group)
    }

    private func calm() async {
        simulation.note("calm")
        for receiver in receivers { receiver.calm() }
        disk.setCapacity(.max)
        disk.failSyncs(0)
        state.withLock { $0.isCalm = true }
        release()
        let end = time.now + Self.calmMost
        while time.now < end, state.withLock({ $0.broken }) == nil {
            try? await time.sleep(for: .seconds(1))
            if isQuiet { return }
            if chain?.gateState == .suspended {
                // It was found wrong before the calm, and said so after: a person releases it again.
                release()
            }
        }
        if state.withLock({ $0.broken }) == nil { fail("900 s after the last fault: \(summary)") }
    }

    private var isQuiet: Bool {
        guard let reading = chain?.reading, state.withLock({ $0.finishedProducers }) == plan.producers else {
            return false
        }
        return reading.state == .open && reading.counters.heldEvents == 0 && (reading.queue?.events ?? 0) == 0
            && (plan.settings.queue?.mode == .always || reading.queue?.isEngaged != true)
    }

    private var summary: String {
        guard let reading = chain?.reading else { return "no chain" }
        return """
            gate \(reading.state.rawValue) (\(reading.reason)), held \(reading.counters.heldEvents), \
            queue \(reading.queue.map { "\($0.events) events engaged \($0.isEngaged)" } ?? "none"), \
            \(state.withLock { $0.finishedProducers }) of \(plan.producers) producers done, \
            reopens: \(reading.reopens) \(reading.details.map { "\($0.name): \($0.value)" })
            """
    }

    // MARK: Producers

    /// Sends its events in order, and again what was lost or refused, as a sender with acknowledgements does.
    private func produce(_ producer: Int) async {
        for number in 0..<plan.batches {
            let count = 1 + Int(simulation.random() % 12)
            let padding = String(repeating: "x", count: Int(simulation.random() % 300))
            let events = (0..<count).map { index in
                let isBad = plan.hasBadEvents && simulation.random() % 40 == 0
                return "\(isBad ? "bad" : "ok")-\(producer)-\(number * 100 + index)-\(padding)"
            }
            state.withLock { $0.offered.formUnion(events) }
            // A batch is given up only when it was kept; a few are in flight at once where order does not matter.
            while !Task.isCancelled {
                if await deliver(events) { break }
                try? await time.sleep(for: .milliseconds(500))
            }
            if Task.isCancelled { return }
            try? await time.sleep(for: .milliseconds(Int64(simulation.random() % 1_500)))
        }
        state.withLock { $0.finishedProducers += 1 }
    }

    private func deliver(_ events: [String]) async -> Bool {
        let (chain, generation) = state.withLock { ($0.chain, $0.generation) }
        guard let chain else { return false }
        let batch = Batch.texts(
            events, context: BatchContext(kind: .raw, source: "producer", received: simulation.wall))
        let deadline = simulation.random() % 3 == 0 ? simulation.now + .seconds(10) : nil
        do throws(IntakeRefusal) {
            let receipt = try await chain.accept(batch, deadline: deadline)
            let settlement = await receipt.settled()
            return state.withLock { state in
                // What a dead process said was heard by nobody.
                guard state.generation == generation, settlement == .kept else { return false }
                state.kept.formUnion(events)
                return true
            }
        } catch {
            return false
        }
    }

    // MARK: Safety, while it runs

    private func attempted() {
        guard let chain else { return }
        let reading = chain.reading
        if reading.counters.unaccounted != 0 { fail("the law of conservation is broken: \(reading.counters)") }
        let memory = chain.memory
        // A batch that is larger than the whole buffer is let in alone, and on its way to the disk one passes beside
        // what hangs in flight; the largest here has 12 events.
        if memory.bytes > memory.most + 12 * 330 {
            fail("more is in memory than the buffer allows: \(memory)")
        }
        let (from, until) = state.withLock { ($0.pausedFrom, $0.pausedUntil) }
        // What was handed to a worker in the very moment of the answer may still go out.
        if from < simulation.now, simulation.now < until {
            fail("an attempt was made during a pause that the receiver had asked for, from \(from) to \(until)")
        }
    }

    private func paused(_ duration: Duration) {
        let now = simulation.now
        // What was in flight already may still come; an attempt that begins now may not. The chain learns of the pause
        // in the same moment of virtual time.
        state.withLock { state in
            if state.pausedUntil <= now { state.pausedFrom = now }
            state.pausedUntil = max(state.pausedUntil, now + duration)
        }
        simulation.note("the receiver asks for a pause of \(duration.shortText)")
    }

    // MARK: Safety, at the end

    private func count(_ chain: DeliveryChain) {
        let counters = chain.reading.counters
        state.withLock { state in
            state.dropped += counters.droppedTotal
            state.deadLettered += counters.deadLetteredEvents
        }
    }

    private func check() {
        guard state.withLock({ $0.broken }) == nil, let chain else { return }
        count(chain)
        let state = state.withLock { $0 }
        let arrivals = receivers.flatMap(\.arrivals)
        let arrived = Set(arrivals)
        if let strange = arrived.subtracting(state.offered).first {
            fail("an event arrived that nobody sent: \(strange)")
        }
        let missing = state.kept.subtracting(arrived).filter { !$0.hasPrefix("bad") }
        if plan.settings.onBackpressure == .drop || plan.settings.queue.map({ $0.onFull != .block }) ?? false {
            if missing.count > Int(state.dropped) {
                fail("\(missing.count) events are missing, \(state.dropped) were dropped")
            }
        } else if !missing.isEmpty {
            fail("lost though settled as kept: \(missing.count) events, such as \(missing.sorted()[0].prefix(20))")
        }
        for receiver in receivers {
            let most = plan.isOrdered ? 1 : plan.shape.concurrency
            if receiver.inFlightMost > most + plan.crashes * most {
                fail("\(receiver.inFlightMost) sends were in flight at \(receiver.name), allowed are \(most)")
            }
            for (event, times) in receiver.badAlone where times > (1 + plan.crashes) * 4 {
                fail("\(event.prefix(20)) was refused for good \(times) times")
            }
        }
        checkOrder(arrivals: receivers.map(\.arrivals))
    }

    /// With one ordered endpoint each producer's events arrive in order, counted by their first arrival.
    private func checkOrder(arrivals: [[String]]) {
        guard plan.isOrdered, plan.endpoints == 1, plan.settings.queue?.strictOrdering ?? true else { return }
        var last: [Substring: Int] = [:]
        var seen: Set<String> = []
        for event in arrivals[0] where seen.insert(event).inserted {
            let parts = event.split(separator: "-")
            guard parts.count >= 3, let number = Int(parts[2]) else { continue }
            if let before = last[parts[1]], before > number {
                fail("out of order: producer \(parts[1]) sent \(number) before \(before), it arrived after it")
                return
            }
            last[parts[1]] = number
        }
    }
}

extension Int64 {
    fileprivate var seconds: Double { Double(self) / 1e9 }
}
