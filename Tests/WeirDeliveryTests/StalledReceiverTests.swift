import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// A receiver that took a send and says nothing more.
@Suite("Stalled receivers")
struct StalledReceiverTests {
    @Test("What hangs in flight does not keep large batches from the disk queue")
    func largeBatches() {
        let receiver = RecordingDestination { _, _ in .hang }
        var settings = DeliverySettings()
        settings.buffer = .kibibytes(64)
        settings.onBackpressure = .queue
        var queue = DiskQueueSettings()
        queue.mode = .smart
        queue.minFree = ByteCount(0)
        settings.queue = queue
        // No time limit of the receiver ends the wait.
        settings.timeout = .hours(1)
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            _ = try await scenario.chain.accept(scenario.batch(bytes: 40_000))
            #expect(await scenario.until { receiver.hangingCount == 1 })
            for _ in 0..<20 {
                let receipt = try await scenario.chain.accept(
                    scenario.batch(bytes: 60_000), deadline: scenario.time.now + .seconds(5))
                #expect(await receipt.settled() == .kept)
            }
            #expect(scenario.reading.state == .queueing)
            receiver.letGo()
        }
        #expect(hasEnded)
        #expect(scenario.reading.counters.unaccounted == 0)
    }
}
