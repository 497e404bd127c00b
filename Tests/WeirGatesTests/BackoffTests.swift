import Testing
import WeirGates
import WeirWorld

@Suite("Back-off")
struct BackoffTests {
    @Test("doubles its cap from 2 s to 60 s, as the table says")
    func table() {
        var backoff = Backoff()
        let random = SeededRandom(seed: 1)
        let caps = [2, 4, 8, 16, 32, 60, 60, 60]
        for (index, cap) in caps.enumerated() {
            let wait = backoff.failed(at: .zero, random: random)
            #expect(backoff.cap == .seconds(cap), "after \(index + 1) failures")
            #expect(wait <= .seconds(cap) && wait >= .seconds(cap) * 0.1)
        }
    }

    @Test("never overflows, however long the outage")
    func longOutage() {
        var backoff = Backoff()
        let random = SeededRandom(seed: 2)
        for _ in 0..<10_000 { _ = backoff.failed(at: .zero, random: random) }
        #expect(backoff.cap == .seconds(60))
    }

    @Test("forgets failures only after 10 s without a new one")
    func stability() {
        var backoff = Backoff()
        let random = SeededRandom(seed: 3)
        _ = backoff.failed(at: .zero, random: random)
        _ = backoff.failed(at: .zero, random: random)
        backoff.succeeded(at: .zero + .seconds(1))
        backoff.succeeded(at: .zero + .seconds(10))
        #expect(backoff.failures == 2)
        backoff.succeeded(at: .zero + .seconds(11))
        #expect(backoff.failures == 0)
    }

    @Test("starts the 10 s again after a failure in between")
    func interrupted() {
        var backoff = Backoff()
        let random = SeededRandom(seed: 4)
        _ = backoff.failed(at: .zero, random: random)
        backoff.succeeded(at: .zero + .seconds(1))
        _ = backoff.failed(at: .zero + .seconds(5), random: random)
        backoff.succeeded(at: .zero + .seconds(6))
        backoff.succeeded(at: .zero + .seconds(12))
        #expect(backoff.failures == 2)
    }

    @Test("spreads its waits over the whole range, so that a hundred senders do not come back at once")
    func jitter() {
        let random = SeededRandom(seed: 5)
        let waits = (0..<200).map { _ in
            var backoff = Backoff()
            return backoff.failed(at: .zero, random: random).inSeconds
        }
        #expect(waits.min()! < 0.4 && waits.max()! > 1.8)
    }
}
