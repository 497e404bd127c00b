import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings

@Suite(.timeLimit(.minutes(5))) struct TCPDestinationTests {
    static func settings(_ address: String, _ change: (inout TCPDestination.Settings) -> Void = { _ in })
        -> TCPDestination.Settings
    {
        var settings = TCPDestination.Settings()
        settings.address = address
        change(&settings)
        return settings
    }

    @Test("Every byte of every batch arrives in order, at the close too")
    func everything() async throws {
        let receiver = try await StreamReceiver.start()
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        var expected = ""
        for round in 0..<50 {
            let texts = (0..<200).map { "event \(round) \($0)" }
            expected += texts.map { $0 + "\n" }.joined()
            _ = try await destination.send(Batch.texts(texts, context: Bench.context))
        }
        await destination.close()
        await receiver.waitForBytes(expected.utf8.count)
        #expect(receiver.text == expected)
        #expect(receiver.connections == 1)
        await receiver.stop()
    }

    @Test("A slow receiver holds the sender back and gets everything")
    func slow() async throws {
        let receiver = try await StreamReceiver.start(.slow(65_536, .milliseconds(1)))
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        let line = String(repeating: "x", count: 999)
        let batch = Batch.texts(Array(repeating: line, count: 2_000), context: Bench.context)
        for _ in 0..<4 { _ = try await destination.send(batch) }
        await destination.close()
        await receiver.waitForBytes(8_000_000)
        #expect(receiver.received.readableBytes == 8_000_000)
        await receiver.stop()
    }

    @Test("A port that nobody listens on is refused")
    func refused() async throws {
        let receiver = try await StreamReceiver.start()
        await receiver.stop()
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        let failed = await failure { () async throws(DeliveryFailure) in try await destination.open() }
        #expect(failed?.reason.code == "connect_refused")
        #expect(failed?.isTransient == true)
    }

    @Test("A name that does not exist is said to be unknown")
    func unknownName() async throws {
        let destination = try Bench.endpoint(Self.settings("nobody.invalid:9"))
        let failed = await failure { () async throws(DeliveryFailure) in try await destination.open() }
        #expect(failed?.reason.code == "dns_failed")
    }

    @Test("A receiver that takes nothing is given up after the write timeout, and no sooner")
    func blackHole() async throws {
        let receiver = try await StreamReceiver.start(.neverReads)
        let destination = try Bench.endpoint(Self.settings(receiver.address) { $0.writeTimeout = .milliseconds(400) })
        try await destination.open()
        let batch = Batch.texts(
            Array(repeating: String(repeating: "x", count: 999), count: 30_000), context: Bench.context)
        let clock = ContinuousClock()
        let start = clock.now
        let failed = await failure { () async throws(DeliveryFailure) in _ = try await destination.send(batch) }
        #expect(failed?.reason.code == "write_timeout")
        #expect(clock.now - start >= .milliseconds(400))
        await receiver.stop()
    }

    @Test("A receiver that closes is noticed while nothing is written, and said once", arguments: [0, 5])
    func closes(after: Int) async throws {
        let receiver = try await StreamReceiver.start(after == 0 ? .halfCloses : .closesAfter(after))
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        if after > 0 { _ = try await destination.send(Bench.batch("hello")) }
        var failed: DeliveryFailure?
        for _ in 0..<400 where failed == nil {
            try await Task.sleep(for: .milliseconds(5))
            failed = await failure { () async throws(DeliveryFailure) in
                _ = try await destination.send(Bench.batch("hello"))
            }
        }
        #expect(["connection_closed", "connection_reset"].contains(failed?.reason.code))
        #expect(failed?.isTransient == true)
        // The next one connects again without being told. (One that half-closes at once may be seen to end before.)
        if after > 0 { _ = try await destination.send(Bench.batch("again")) }
        await destination.close()
        await receiver.stop()
    }

    @Test("A reset in the middle of a batch fails the batch")
    func reset() async throws {
        let receiver = try await StreamReceiver.start(.resetsAfter(10_000))
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        let batch = Batch.texts(
            Array(repeating: String(repeating: "x", count: 999), count: 30_000), context: Bench.context)
        let failed = await failure { () async throws(DeliveryFailure) in _ = try await destination.send(batch) }
        #expect(["connection_reset", "connection_closed"].contains(failed?.reason.code))
        await receiver.stop()
    }

    @Test("What the receiver says is ignored")
    func chatter() async throws {
        let receiver = try await StreamReceiver.start(.chatters)
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        for _ in 0..<20 { _ = try await destination.send(Bench.batch("hello")) }
        await destination.close()
        await receiver.waitForBytes(120)
        #expect(receiver.received.readableBytes == 120)
        await receiver.stop()
    }

    @Test("A cancelled send ends at once and gives the connection up")
    func cancelled() async throws {
        let receiver = try await StreamReceiver.start(.neverReads)
        let destination = try Bench.endpoint(Self.settings(receiver.address))
        try await destination.open()
        let batch = Batch.texts(
            Array(repeating: String(repeating: "x", count: 999), count: 30_000), context: Bench.context)
        let sending = Task {
            await failure { () async throws(DeliveryFailure) in _ = try await destination.send(batch) }
        }
        try await Task.sleep(for: .milliseconds(50))
        sending.cancel()
        #expect(await sending.value == .cancelled)
        await receiver.stop()
    }

    @Test(
        "Settings that cannot work are said with their key",
        arguments: [
            ("", "address"), ("nowhere", "address"), ("a:0", "address"), ("a:70000", "address"),
            ("2001:db8::1:80", "address"),
            ("user@host:80", "address"), ("a/b:80", "address"),
        ])
    func wrongAddress(address: String, key: String) {
        var problems: [SettingProblem] = []
        let settings = TCPDestination.Settings.read(
            from: .map(["address": .text(address)]), path: "destinations.x", problems: &problems)
        #expect(settings == nil)
        #expect(problems.first?.path == "destinations.x.\(key)")
    }

    @Test("A list of addresses is an endpoint each, and names in it are looked up")
    func list() {
        var settings = TCPDestination.Settings()
        settings.addresses = [("10.0.0.1:1", 2), ("relay.example:2", 1), ("[2001:db8::1]:3", 0)].map {
            var entry = WeightedAddress()
            (entry.address, entry.weight) = $0
            return entry
        }
        let plan = Bench.planned(settings).plan
        #expect(plan?.endpoints.map(\.name) == ["10.0.0.1:1", "relay.example:2", "[2001:db8::1]:3"])
        #expect(plan?.endpoints.map(\.weight) == [2, 1, 0])
        #expect(plan?.endpoints.map(\.host) == [nil, "relay.example", nil])
        #expect(plan?.resolveEvery == .seconds(600))
        #expect(plan?.shape.isOrdered == true)
    }
}
