import NIOCore
import Synchronization
import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// A batch that is larger than what a receiver takes at once, or than the buffer before it.
@Suite("Large batches")
struct CuttingTests {
    private func texts(_ count: Int) -> [String] { (0..<count).map { "event \($0)" } }

    @Test("One batch of 1,000 events is shared by the endpoints, in sends as large as they take")
    func shared() {
        let receivers = [RecordingDestination(), RecordingDestination()]
        let scenario = Scenario(receivers, shape: DeliveryShape(eventsMost: 20, linger: .milliseconds(20)))
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(texts(1_000)))
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receivers.allSatisfy { $0.events.count > 400 }, "\(receivers.map(\.events.count))")
        #expect(receivers.flatMap(\.batches).allSatisfy { $0.count <= 20 })
        #expect(receivers.flatMap(\.events).sorted() == texts(1_000).sorted(), "each event arrives once")
        #expect(scenario.reading.counters.deliveredEvents == 1_000)
        #expect(scenario.reading.counters.takenEvents == 1_000)
        #expect(scenario.reading.counters.unaccounted == 0)
    }

    @Test("The parts of one batch are sent side by side, as many as `concurrency` allows")
    func concurrent() {
        let clock = Mutex<SimulatedTime?>(nil)
        let receiver = SlowDestination(clock: { clock.withLock { $0 } }, delay: .milliseconds(100))
        let scenario = Scenario([receiver], shape: DeliveryShape(bytesMost: 1_000, linger: .zero, concurrency: 4))
        clock.withLock { $0 = scenario.time }
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(bytes: 100_000))
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receiver.inFlightMost == 4)
        #expect(scenario.reading.counters.deliveredEvents == 1_000)
    }

    @Test("A batch is acknowledged when its last part is, and lost when one of them is")
    func receipts() {
        let receiver = RecordingDestination { batch, _ in
            String(buffer: batch.event(at: 0)) == "event 90" ? .hang : .take
        }
        let scenario = Scenario([receiver], shape: DeliveryShape(eventsMost: 10, linger: .zero))
        let seen = Mutex<Receipt?>(nil)
        let hasEnded = scenario.play { scenario in
            let first = try await scenario.chain.accept(scenario.batch(texts(100)))
            #expect(await scenario.until { receiver.events.count == 90 })
            try await scenario.time.sleep(for: .seconds(5))
            #expect(first.settlement == nil)
            receiver.letGo()
            #expect(await first.settled() == .kept)
            seen.withLock { $0 = nil }
            let second = try await scenario.chain.accept(scenario.batch(texts(100)))
            seen.withLock { $0 = second }
        }
        #expect(hasEnded)
        guard case .lost = seen.withLock({ $0?.settlement }) else {
            Issue.record("Weir stopped with a part in flight: the sender must hear that")
            return
        }
        #expect(scenario.reading.counters.unaccounted == 0)
    }

    @Test(
        "A batch larger than the buffer is cut at the gate: never more than the limit is held, and all arrives in order"
    )
    func largerThanTheBuffer() {
        let chain = Mutex<DeliveryChain?>(nil)
        let most = Mutex<Int64>(0)
        let receiver = RecordingDestination { _, _ in
            let held = chain.withLock { $0 }?.reading.counters.heldEvents ?? 0
            most.withLock { $0 = max($0, held) }
            return .take
        }
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        let scenario = Scenario([receiver], shape: DeliveryShape(linger: .zero, isOrdered: true), settings: settings)
        chain.withLock { $0 = scenario.chain }
        let events = (0..<500).map { "\($0) " + String(repeating: "x", count: 95) }
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(events))
            #expect((scenario.reading.level ?? 0) <= 10_000)
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receiver.events == events)
        #expect(most.withLock { $0 } <= 101, "no more than the buffer's 10,000 bytes were held at any time")
        #expect(scenario.reading.counters.unaccounted == 0)
    }

    @Test("While the parts of one batch wait in turn, the gate stays blocking: it does not flap from part to part")
    func calm() {
        let clock = Mutex<SimulatedTime?>(nil)
        let receiver = SlowDestination(clock: { clock.withLock { $0 } }, delay: .milliseconds(100))
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        let scenario = Scenario(
            [receiver], shape: DeliveryShape(bytesMost: 10_000, linger: .zero, concurrency: 1), settings: settings)
        clock.withLock { $0 = scenario.time }
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(bytes: 200_000))
            let changes = scenario.reading.counters.transitions.values.reduce(0, +)
            #expect(changes <= 4, "filling, blocking, and open at the end: \(changes)")
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(scenario.reading.state == .open)
    }

    @Test("Before a receiver that takes nothing, a batch larger than the buffer waits, and is refused in time")
    func refused() {
        let receiver = RecordingDestination { _, _ in .hang }
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            let batch = scenario.batch(bytes: 50_000)
            await #expect(throws: IntakeRefusal.self) {
                _ = try await scenario.chain.accept(batch, deadline: scenario.time.now + .seconds(3))
            }
            #expect(scenario.reading.counters.takenEvents == 100, "what the buffer holds, and no more")
            #expect(scenario.reading.level == 10_000)
            #expect(scenario.reading.reason.sentence.contains("10.0 kB of 10.0 kB"))
        }
        #expect(hasEnded)
    }

    @Test("Who cannot wait is let in alone while nothing is held, and the level says no more than 100 %")
    func nowOrNever() {
        let receiver = RecordingDestination { _, _ in .hang }
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            let batch = scenario.batch(bytes: 20_000)
            await #expect(throws: IntakeRefusal.self, "an offer: the caller can wait") {
                _ = try await scenario.chain.accept(batch, deadline: .distantPast)
            }
            #expect(scenario.reading.counters.takenEvents == 0)
            _ = try await scenario.chain.accept(batch, deadline: scenario.time.now)
            #expect(scenario.reading.level == 10_000)
            let text = scenario.reading.details.first { $0.name == "in memory" }?.value
            #expect(text == "10.0 kB of 10.0 kB (one batch of 20.0 kB passes alone)")
            receiver.letGo()
        }
        #expect(hasEnded)
    }

    @Test("One batch larger than its members' buffers goes through a fallback in parts")
    func throughAFallback() {
        let receiver = RecordingDestination()
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        let scenario = Scenario([receiver], settings: settings)
        let fallback = FallbackIntake(name: "either", members: [scenario.chain], time: scenario.time)
        let hasEnded = scenario.play { scenario in
            let receipt = try await fallback.accept(scenario.batch(bytes: 50_000), deadline: nil)
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receiver.events.count == 500)
        #expect(fallback.sentEvents == [500])
    }
}

/// Takes everything after a while of virtual time.
private final class SlowDestination: Destination {
    private let clock: @Sendable () -> SimulatedTime?
    private let delay: Duration
    private let inFlight = Mutex((now: 0, most: 0))

    init(clock: @escaping @Sendable () -> SimulatedTime?, delay: Duration) {
        self.clock = clock
        self.delay = delay
    }

    var inFlightMost: Int { inFlight.withLock { $0.most } }

    func open() async throws(DeliveryFailure) {}
    func close() async {}
    func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport {
        inFlight.withLock { inFlight in
            inFlight.now += 1
            inFlight.most = max(inFlight.most, inFlight.now)
        }
        defer { inFlight.withLock { $0.now -= 1 } }
        do { try await clock()?.sleep(for: delay) } catch { throw .cancelled }
        return .delivered
    }
}
