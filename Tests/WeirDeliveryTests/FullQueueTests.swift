import NIOCore
import Synchronization
import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// What becomes of events when the disk queue or the dead letters are full, and how fast a backlog drains.
@Suite("Full queues, dead letters and the drain")
struct FullQueueTests {
    private func settings(_ change: (inout DiskQueueSettings) -> Void) -> DeliverySettings {
        var settings = DeliverySettings()
        settings.onBackpressure = .queue
        settings.buffer = ByteCount(20_000)
        var queue = DiskQueueSettings()
        queue.mode = .error
        queue.segmentSize = .kibibytes(64)
        change(&queue)
        settings.queue = queue
        return settings
    }

    private func text(_ number: Int) -> String { "event \(number) " + String(repeating: "x", count: 90) }

    /// Number of an event made by `text`.
    private func number(_ text: String) -> Int { Int(text.split(separator: " ")[1]) ?? -1 }

    @Test(
        "A full queue drops the newest or the oldest, as its operator said; it is counted, nothing else is lost",
        arguments: [DiskQueueSettings.OnFull.dropNewest, .dropOldest])
    func dropping(_ onFull: DiskQueueSettings.OnFull) {
        let receiver = RecordingDestination()
        receiver.setOpenFailure(.unreachable(Reason("connect_refused", "Nobody listens.")))
        let settings = settings {
            $0.maxSize = .kibibytes(64)
            $0.onFull = onFull
        }
        let scenario = Scenario([receiver], shape: DeliveryShape(linger: .zero, isOrdered: true), settings: settings)
        let hasEnded = scenario.play { scenario in
            #expect(await scenario.until { scenario.reading.queue?.isEngaged == true })
            for number in 0..<1_000 {
                let receipt = try await scenario.chain.accept(scenario.batch([text(number)]))
                #expect(await receipt.settled() == .kept)
            }
            let dropped = scenario.reading.counters.droppedTotal
            #expect(dropped > 100 && dropped < 900)
            #expect(scenario.reading.counters.heldEvents == 1_000 - Int64(dropped))
            receiver.setOpenFailure(nil)
            scenario.chain.order(.release(by: "a test"))
            #expect(await scenario.until({ scenario.reading.counters.heldEvents == 0 }, within: .seconds(600)))
            #expect(receiver.events.count == 1_000 - Int(dropped))
        }
        #expect(hasEnded)
        let numbers = receiver.events.map(number)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        // What a worker has in its hands is not taken from it, so the very first events are there in both cases.
        let newest = numbers.suffix(10)
        #expect(onFull == .dropNewest ? newest.last != 999 : Array(newest) == Array(990...999))
    }

    @Test("A backlog drains at its `drain_rate`, not faster and hardly slower")
    func drainRate() {
        let receiver = RecordingDestination()
        receiver.setOpenFailure(.unreachable(Reason("connect_refused", "Nobody listens.")))
        let settings = settings { $0.drainRate = 100 }
        let shape = DeliveryShape(eventsMost: 20, linger: .zero, isOrdered: true)
        let scenario = Scenario([receiver], shape: shape, settings: settings)
        let hasEnded = scenario.play { scenario in
            #expect(await scenario.until { scenario.reading.queue?.isEngaged == true })
            for part in 0..<50 {
                let texts = (0..<20).map { text(part * 20 + $0) }
                let receipt = try await scenario.chain.accept(scenario.batch(texts))
                #expect(await receipt.settled() == .kept)
            }
            receiver.setOpenFailure(nil)
            scenario.chain.order(.release(by: "a test"))
            #expect(await scenario.until { receiver.events.count > 0 })
            let start = scenario.time.now
            let before = receiver.events.count
            try await scenario.time.sleep(for: .seconds(4))
            let inFour = receiver.events.count - before
            // The bucket holds one second, and may run into debt by one send.
            #expect((300...520).contains(inFour), "\(inFour) events in 4 s")
            #expect(await scenario.until({ receiver.events.count == 1_000 }, within: .seconds(60)))
            let took = (scenario.time.now - start).inSeconds
            #expect((8.0...10.5).contains(took), "\(took) s for 1,000 events at 100 a second")
        }
        #expect(hasEnded)
        #expect(receiver.events.map(number) == Array(0..<1_000))
    }

    private static func refusesBad(_ batch: Batch) -> RecordingDestination.Answer {
        let isBad = (0..<batch.count).contains { String(buffer: batch.event(at: $0)).hasPrefix("bad") }
        return isBad ? .fail(.rejected(Reason("http_400", "It answered 400."))) : .take
    }

    @Test("Dead letters are sent again when a person says so, and taken out once they are delivered")
    func replay() {
        let isMended = Flag()
        let receiver = RecordingDestination { batch, _ in isMended.isSet ? .take : Self.refusesBad(batch) }
        let scenario = Scenario([receiver])
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["one", "bad 1", "two", "bad 2"]))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.chain.deadLetterLevel.events == 2)
            // Refused again, they come back as new letters: none is lost.
            #expect(try await scenario.chain.replayDeadLetters() == 2)
            #expect(scenario.chain.deadLetterLevel.events == 2)
            isMended.set()
            #expect(try await scenario.chain.replayDeadLetters() == 2)
            #expect(scenario.chain.deadLetterLevel.events == 0)
            #expect(try await scenario.chain.deadLetters(limit: 10).isEmpty)
        }
        #expect(hasEnded)
        #expect(receiver.events.sorted() == ["bad 1", "bad 2", "one", "two"])
        #expect(scenario.reading.counters.unaccounted == 0)
    }

    @Test("With `dead_letters: block`, a disk that fails holds the destination, visibly, and no bad event is lost")
    func blocksOnErrors() {
        let receiver = RecordingDestination { batch, _ in Self.refusesBad(batch) }
        var settings = DeliverySettings()
        settings.deadLetters.onFull = .block
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            scenario.disk.failSyncs(.max)
            let receipt = try await scenario.chain.accept(scenario.batch(["one", "bad", "two"]))
            #expect(await scenario.until { scenario.reading.state == .blocking })
            #expect(scenario.reading.reason.code.hasPrefix("dead_letter_"), "\(scenario.reading.reason)")
            #expect(scenario.reading.reopens.hasPrefix("When the dead letters can be written"))
            try await scenario.time.sleep(for: .seconds(100))
            #expect(receipt.settlement == nil)
            #expect(scenario.reading.counters.droppedTotal == 0 && scenario.reading.counters.heldEvents == 1)
            scenario.disk.failSyncs(0)
            #expect(await scenario.until({ scenario.reading.state == .open }, within: .seconds(120)))
            #expect(receipt.settlement == .kept)
            #expect(scenario.chain.deadLetterLevel.events == 1)
            #expect(scenario.reading.counters.deadLetteredEvents == 1)
        }
        #expect(hasEnded)
        #expect(receiver.events.sorted() == ["one", "two"])
    }

    @Test("With `drop_newest`, a disk that fails costs the bad events, which are counted, and holds nobody")
    func dropsOnErrors() {
        let receiver = RecordingDestination { batch, _ in Self.refusesBad(batch) }
        var settings = DeliverySettings()
        settings.deadLetters.onFull = .dropNewest
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            scenario.disk.failSyncs(.max)
            let receipt = try await scenario.chain.accept(scenario.batch(["one", "bad", "two"]))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.reading.counters.droppedTotal == 1)
            #expect(scenario.reading.state == .open)
        }
        #expect(hasEnded)
    }

    @Test("A held gate takes nothing to the receiver until it is released, whatever the receiver does meanwhile")
    func held() {
        let receiver = RecordingDestination { _, attempt in
            attempt == 1 ? .fail(.busy(Reason("http_503", "It answered 503."))) : .take
        }
        let scenario = Scenario([receiver])
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await scenario.until { scenario.reading.state == .blocking })
            scenario.chain.order(.hold(by: "an operator"))
            #expect(scenario.reading.state == .paused)
            #expect(scenario.reading.reason.sentence.contains("an operator"))
            try await scenario.time.sleep(for: .seconds(600))
            #expect(receiver.attemptCount == 1 && receipt.settlement == nil)
            scenario.chain.order(.release(by: "an operator"))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.reading.state == .open)
        }
        #expect(hasEnded)
    }
}

private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    func set() { value.store(true, ordering: .relaxed) }
    var isSet: Bool { value.load(ordering: .relaxed) }
}
