import Logging
import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

@Suite("A delivery chain")
struct ChainBasicsTests {
    @Test("What is accepted arrives in order, and its receipts are kept", .timeLimit(.minutes(5)))
    func arrives() async throws {
        let receiver = RecordingDestination()
        let stage = Stage([receiver])
        try await stage.running { chain in
            var receipts: [Receipt] = []
            for number in 0..<100 { receipts.append(try await chain.accept(stage.batch(["event \(number)"]))) }
            #expect(await Receipt.settled(receipts) == .kept)
        }
        #expect(receiver.events == (0..<100).map { "event \($0)" })
        #expect(stage.chain.reading.counters.unaccounted == 0)
        #expect(stage.chain.reading.counters.deliveredEvents == 100)
        #expect(receiver.closings == 1)
    }
}
