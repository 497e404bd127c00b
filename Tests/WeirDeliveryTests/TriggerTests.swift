import NIOCore
import Testing
import WeirDelivery
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// What engages backpressure, one trigger a test (seeds/2), with the reason that `weir why` gives.
@Suite("Triggers of backpressure")
struct TriggerTests {
    private static let transient: [(DeliveryFailure, String)] = [
        (.unreachable(Reason("connect_refused", "Nobody listens.")), "connect_refused"),
        (.unreachable(Reason("connect_timeout", "No connection.")), "connect_timeout"),
        (.timedOut(Reason("write_timeout", "It took nothing.")), "write_timeout"),
        (.busy(Reason("http_503", "It answered 503.")), "http_503"),
        (.busy(Reason("http_429", "It answered 429."), retryAfter: .seconds(5)), "http_429"),
        (.busy(Reason("disk_full", "The file system is full.")), "disk_full"),
        (.busy(Reason("staging_not_writable", "The staging directory cannot be written.")), "staging_not_writable"),
    ]

    @Test(
        "A failure holds the gate with its reason, and it opens by itself when the receiver is well",
        arguments: transient.indices)
    func transientFailure(_ place: Int) {
        let (failure, code) = Self.transient[place]
        let receiver = RecordingDestination { _, attempt in attempt == 1 ? .fail(failure) : .take }
        let scenario = Scenario([receiver])
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await scenario.until { scenario.reading.state == .blocking })
            #expect(scenario.reading.reason.code == code)
            #expect(scenario.reading.reopens.contains("next attempt") || scenario.reading.reopens.contains("pause"))
            #expect(scenario.reading.limit.origin == "weir.yaml:7")
            #expect(await receipt.settled() == .kept)
            #expect(await scenario.until { scenario.reading.state == .open })
        }
        #expect(hasEnded)
        #expect(receiver.events == ["one"])
        #expect(receiver.attemptCount == 2)
    }

    @Test("Retry-After pauses the whole destination, also its other endpoints, and at most 180 s")
    func retryAfter() {
        let first = RecordingDestination { _, attempt in
            attempt == 1 ? .fail(.busy(Reason("http_429", "Too many."), retryAfter: .seconds(1_000))) : .take
        }
        let second = RecordingDestination()
        let scenario = Scenario([first, second])
        let hasEnded = scenario.play { scenario in
            _ = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await scenario.until { scenario.reading.state == .blocking })
            let start = scenario.time.now
            let receipt = try await scenario.chain.accept(scenario.batch(["two"]))
            #expect(await receipt.settled() == .kept)
            let waited = scenario.time.now - start
            #expect(waited > .seconds(175) && waited < .seconds(190))
        }
        #expect(hasEnded)
    }

    @Test("A request without an answer is given up after the timeout, and the batch goes again")
    func requestTimeout() {
        let receiver = RecordingDestination { _, attempt in attempt == 1 ? .hang : .take }
        let scenario = Scenario([receiver], shape: DeliveryShape(linger: .zero, timeout: .seconds(3)))
        let hasEnded = scenario.play { scenario in
            let start = scenario.time.now
            let receipt = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await scenario.until { scenario.reading.state == .blocking })
            #expect(scenario.reading.reason.code == "request_timeout")
            #expect(scenario.time.now - start >= .seconds(3))
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receiver.events == ["one"])
    }

    @Test("A slow receiver fills the buffer: the next sender waits, first come first served, until there is room")
    func bufferFull() {
        let receiver = RecordingDestination { _, _ in .hang }
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        settings.concurrency = 1
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            _ = try await scenario.chain.accept(scenario.batch(bytes: 5_000))
            _ = try await scenario.chain.accept(scenario.batch(bytes: 5_000))
            async let third = scenario.chain.accept(scenario.batch(bytes: 1_000))
            #expect(await scenario.until { scenario.reading.reason.code == "in_flight_limit" })
            #expect(scenario.reading.state == .blocking)
            #expect((scenario.reading.level ?? 0) >= 10_000)
            do {
                _ = try await scenario.chain.accept(scenario.batch(["late"]), deadline: scenario.time.now + .seconds(2))
                Issue.record("there was room where there should be none")
            } catch let refusal as IntakeRefusal {
                guard case .full(_, let retryAfter) = refusal else {
                    Issue.record("refused with \(refusal)")
                    return
                }
                #expect(retryAfter.map { $0 >= .seconds(1) } ?? false)
            }
            for _ in 0..<10 {
                receiver.letGo()
                try await scenario.time.sleep(for: .milliseconds(50))
            }
            _ = try await third
            receiver.letGo()
            #expect(await scenario.until { scenario.reading.state == .open })
        }
        #expect(hasEnded)
    }

    @Test("With `drop`, what finds no room is dropped and counted, and nobody waits", arguments: [5_000, 3_000])
    func drop(bytes: Int) {
        let receiver = RecordingDestination { _, _ in .hang }
        var settings = DeliverySettings()
        settings.buffer = ByteCount(10_000)
        settings.onBackpressure = .drop
        let scenario = Scenario([receiver], settings: settings)
        let hasEnded = scenario.play { scenario in
            for _ in 0..<(10_000 / bytes) { _ = try await scenario.chain.accept(scenario.batch(bytes: bytes)) }
            let receipt = try await scenario.chain.accept(scenario.batch(bytes: bytes))
            let room = (10_000 % bytes) / 100
            #expect(receipt.settlement == (room == 0 ? .kept : nil))
            #expect(scenario.reading.counters.droppedTotal == UInt64(bytes / 100 - room))
            // Also where a smaller batch would still have found room.
            #expect(scenario.reading.state == .dropping)
            for _ in 0..<3 {
                receiver.letGo()
                try await scenario.time.sleep(for: .seconds(1))
            }
            #expect(await scenario.until { scenario.reading.state == .open })
        }
        #expect(hasEnded)
    }

    @Test("Refused credentials suspend the destination until a person releases it; nothing is lost")
    func suspended() {
        let receiver = RecordingDestination { _, attempt in
            attempt == 1 ? .fail(.misconfigured(Reason("http_401", "It refused the credentials."))) : .take
        }
        let scenario = Scenario([receiver])
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await scenario.until { scenario.reading.state == .suspended })
            try await scenario.time.sleep(for: .seconds(600))
            #expect(receiver.attemptCount == 1, "a suspended destination is left alone")
            #expect(scenario.registry.order(.release(by: "a test"), "out"))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.reading.state == .open)
        }
        #expect(hasEnded)
        #expect(receiver.events == ["one"])
    }

    @Test(
        "A refused batch is split; the good events are delivered, the bad ones become dead letters with a reason"
    )
    func bisect() {
        let receiver = RecordingDestination { batch, _ in
            let events = batch.texts
            return events.contains { $0.hasPrefix("bad") }
                ? .fail(.rejected(Reason("http_400", "It answered 400."))) : .take
        }
        let scenario = Scenario([receiver])
        let texts = (0..<64).map { $0 == 17 || $0 == 40 ? "bad \($0)" : "good \($0)" }
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(texts))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.reading.counters.deliveredEvents == 62)
            #expect(scenario.reading.counters.deadLetteredEvents == 2)
            let letters = try await scenario.chain.deadLetters(limit: 10)
            #expect(letters.map { String(buffer: $0.content) }.sorted() == ["bad 17", "bad 40"])
            #expect(letters.allSatisfy { $0.reason.code == "http_400" && $0.attempts == 1 })
            #expect(scenario.chain.deadLetterLevel.events == 2)
        }
        #expect(hasEnded)
        #expect(receiver.events.sorted() == texts.filter { $0.hasPrefix("good") }.sorted())
    }

    @Test("Only postponed items are sent again")
    func partial() {
        let receiver = RecordingDestination { _, attempt in
            attempt == 1
                ? .report(
                    DeliveryReport(postponed: [
                        (1, Reason("http_429", "Not this time.")), (3, Reason("http_429", "Not this time.")),
                    ]))
                : .take
        }
        let scenario = Scenario([receiver])
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["a", "b", "c", "d"]))
            #expect(await receipt.settled() == .kept)
        }
        #expect(hasEnded)
        #expect(receiver.batches == [["a", "c"], ["b", "d"]])
    }

    @Test("A failed endpoint leaves, its batches go to the next one, and it comes back by itself")
    func failover() {
        let first = RecordingDestination { _, attempt in
            attempt <= 1 ? .fail(.unreachable(Reason("connection_lost", "It broke."))) : .take
        }
        let second = RecordingDestination()
        let scenario = Scenario([first, second], shape: DeliveryShape(isOrdered: true))
        let hasEnded = scenario.play { scenario in
            let receipt = try await scenario.chain.accept(scenario.batch(["one"]))
            #expect(await receipt.settled() == .kept)
            #expect(scenario.reading.state == .open, "one endpoint is enough")
            for number in 0..<200 {
                _ = try await scenario.chain.accept(scenario.batch(["event \(number)"]))
                try await scenario.time.sleep(for: .milliseconds(50))
            }
            #expect(scenario.chain.endpoints.allSatisfy { $0.breaker == "closed" })
        }
        #expect(hasEnded)
        #expect(first.events.count > 50)
        #expect(first.events.count + second.events.count == 201)
    }

    @Test("Mode error writes to disk at the first failure, in order, and the backlog drains first")
    func spills() {
        let receiver = RecordingDestination { _, attempt in
            attempt <= 3 ? .fail(.busy(Reason("http_503", "It answered 503."))) : .take
        }
        var settings = DeliverySettings()
        settings.onBackpressure = .queue
        var queue = DiskQueueSettings()
        queue.mode = .error
        settings.queue = queue
        let scenario = Scenario([receiver], shape: DeliveryShape(linger: .zero, isOrdered: true), settings: settings)
        let hasEnded = scenario.play { scenario in
            let start = scenario.time.now
            var receipts: [Receipt] = []
            for number in 0..<20 {
                receipts.append(try await scenario.chain.accept(scenario.batch(["event \(number)"])))
            }
            #expect(await Receipt.settled(receipts) == .kept)
            #expect(scenario.time.now - start < .seconds(2), "settled by the disk, not by the receiver")
            #expect(scenario.reading.state == .queueing)
            #expect(scenario.reading.queue?.isEngaged == true)
            #expect(await scenario.until({ scenario.reading.state == .open && scenario.reading.queue?.events == 0 }))
        }
        #expect(hasEnded)
        #expect(receiver.events == (0..<20).map { "event \($0)" })
    }

    @Test("UDP never holds anybody back")
    func udp() {
        let receiver = RecordingDestination { _, attempt in
            attempt % 2 == 1 ? .fail(.busy(Reason("network_down", "No route."))) : .take
        }
        let scenario = Scenario(
            [receiver], shape: DeliveryShape(linger: .zero, isOrdered: true, canBackpressure: false))
        let hasEnded = scenario.play { scenario in
            for number in 0..<10 {
                let receipt = try await scenario.chain.accept(scenario.batch(["event \(number)"]))
                #expect(await receipt.settled() == .kept)
                #expect(scenario.reading.state == .open)
            }
            #expect(scenario.reading.counters.droppedEvents == ["network_down": 5])
            #expect(scenario.reading.counters.deliveredEvents == 5)
        }
        #expect(hasEnded)
    }
}
