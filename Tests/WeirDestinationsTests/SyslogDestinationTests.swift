import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

@Suite(.timeLimit(.minutes(5))) struct SyslogDestinationTests {
    static func settings(_ address: String, _ change: (inout SyslogDestination.Settings) -> Void = { _ in })
        -> SyslogDestination.Settings
    {
        var settings = SyslogDestination.Settings()
        settings.address = address
        settings.host = "box"
        change(&settings)
        return settings
    }

    static func context(_ kind: EventKind) -> BatchContext {
        BatchContext(
            kind: kind, source: "s",
            received: CivilDate.wall(year: 2026, month: 11, day: 1, hour: 9, minute: 3, second: 21))
    }

    static func over(
        _ batch: Batch, bytes: Int, _ change: (inout SyslogDestination.Settings) -> Void = { _ in }
    ) async throws -> String {
        let receiver = try await StreamReceiver.start()
        let destination = try Bench.endpoint(settings(receiver.address, change))
        try await destination.open()
        _ = try await destination.send(batch)
        await destination.close()
        await receiver.waitForBytes(bytes)
        await receiver.stop()
        return receiver.text
    }

    @Test(
        "Events that are not syslog get a header of either form",
        arguments: [
            (SyslogFormat.rfc5424, "<165>1 2026-11-01T09:03:21.000Z box weir - - - hello\n"),
            (.rfc3164, "<165>Nov  1 09:03:21 box weir: hello\n"),
        ])
    func header(format: SyslogFormat, expected: String) async throws {
        let batch = Batch.texts(["hello"], context: Self.context(.raw))
        let text = try await Self.over(batch, bytes: expected.utf8.count) {
            $0.messageFormat = format
            $0.facility = 20
            $0.severity = 5
        }
        #expect(text == expected)
    }

    @Test("What came in as syslog goes out as it was")
    func unchanged() async throws {
        let batch = Batch.texts(["<13>x", "<34>1 - - - - - - y"], context: Self.context(.syslog))
        #expect(try await Self.over(batch, bytes: 26) == "<13>x\n<34>1 - - - - - - y\n")
        #expect(
            try await Self.over(batch, bytes: 29, { $0.framing = .octetCounting }) == "5 <13>x19 <34>1 - - - - - - y")
    }

    @Test("A line feed inside a message stays inside it, with either framing")
    func lineFeed() async throws {
        let batch = Batch.texts(["<13>a\nb"], context: Self.context(.syslog))
        #expect(try await Self.over(batch, bytes: 9) == "<13>a\\nb\n")
        #expect(try await Self.over(batch, bytes: 9, { $0.framing = .octetCounting }) == "7 <13>a\nb")
    }

    @Test("A host that a sender made up cannot break the header")
    func evilHost() async throws {
        var context = Self.context(.raw)
        context.attributes["host"] = "a b\n<0>1 é"
        let expected = "<13>1 2026-11-01T09:03:21.000Z ab<0>1 weir - - - x\n"
        #expect(try await Self.over(Batch.texts(["x"], context: context), bytes: expected.utf8.count) == expected)
    }

    @Test("Over UDP each message is a datagram, and a long one is cut between characters")
    func datagrams() async throws {
        let receiver = try await DatagramReceiver.start()
        let destination = try Bench.endpoint(
            Self.settings(receiver.address) {
                $0.transport = .udp
                $0.maxSize = ByteCount(480)
            })
        let batch = Batch.texts(
            ["<13>short", "<13>" + String(repeating: "é", count: 400)], context: Self.context(.syslog))
        _ = try await destination.send(batch)
        let received = try await receiver.waitFor(2)
        #expect(received.first == "<13>short")
        #expect(received.last == "<13>" + String(repeating: "é", count: 236) + "…")
        #expect(received.last?.utf8.count == 479)
        await destination.close()
        await receiver.stop()
    }

    @Test("UDP is never held back, even when nobody is there")
    func nobody() async throws {
        let receiver = try await DatagramReceiver.start()
        let address = receiver.address
        await receiver.stop()
        var settings = UDPDestination.Settings()
        settings.address = address
        let destination = try Bench.endpoint(settings)
        for _ in 0..<20 { _ = try await destination.send(Bench.batch("x", "y")) }
        #expect(Bench.planned(settings).plan?.shape.canBackpressure == false)
        await destination.close()
    }
}
