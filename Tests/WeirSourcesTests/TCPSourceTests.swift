import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

@Suite("tcp source")
struct TCPSourceTests {
    let world = World.tests

    func source(_ intake: any Intake, _ change: (inout TCPSource.Settings) -> Void = { _ in }) -> TCPSource {
        var settings = TCPSource.Settings()
        settings.listen = ["127.0.0.1:0"]
        change(&settings)
        return TCPSource(name: "edge", settings: settings, intake: intake, world: world, eventLoops: loops)
    }

    @Test("Lines arrive once, in order, whatever the cuts between writes")
    func lines() async throws {
        let intake = RecordingIntake(time: world.time)
        let lines = (0..<5_000).map { "{\"n\":\($0),\"pad\":\"\(String(repeating: "x", count: $0 % 300))\"}" }
        try await running(source(intake)) { source in
            let sender = try await Sender.connect(source.port())
            var random = SplitMix(seed: 7)
            var bytes = ByteBuffer(string: lines.joined(separator: "\n") + "\n")
            while bytes.readableBytes > 0 {
                let length = min(bytes.readableBytes, Int(random.next() % 20_000) + 1)
                try await sender.send(bytes.readSlice(length: length) ?? ByteBuffer())
            }
            #expect(await eventually { intake.eventCount == lines.count })
            try await sender.close()
        }
        #expect(intake.events == lines)
        #expect(intake.batches.allSatisfy { $0.kind == .json && $0.context.attributes["peer"] == "127.0.0.1" })
    }

    @Test("A last line without a line feed is an event when the sender has closed")
    func halfClose() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(source(intake)) { source in
            let sender = try await Sender.connect(source.port())
            try await sender.send("first\r\n\n\nlast")
            try await sender.halfClose()
            #expect(await eventually { intake.eventCount == 2 })
        }
        #expect(intake.events == ["first", "last"])
        #expect(intake.batches.allSatisfy { $0.kind == .raw })
    }

    @Test("A sender is held while the routes have no room, and nothing is lost")
    func held() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.close()
        let line = String(repeating: "y", count: 999) + "\n"
        let block = ByteBuffer(string: String(repeating: line, count: 1_000))
        let count = 40
        try await running(source(intake)) { source in
            let sender = try await Sender.connect(source.port())
            let sending = Task { for _ in 0..<count { try await sender.send(block) } }
            // 40 MB are more than kernel buffers and source together take.
            try await world.time.sleep(for: .milliseconds(500))
            #expect(intake.eventCount == 0)
            #expect((source as? TCPSource)?.heldBytes ?? 0 < 2 << 20)
            intake.open()
            try await sending.value
            #expect(await eventually { intake.eventCount == count * 1_000 })
            try await sender.close()
        }
        #expect(intake.byteCount == count * 1_000_000)
    }

    @Test("Senders that close while they are held lose nothing, and memory stays within what kernel and source hold")
    func closedWhileHeld() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.close()
        let line = String(repeating: "y", count: 999) + "\n"
        let block = ByteBuffer(string: String(repeating: line, count: 1_000))
        let tested = source(intake) { $0.buffer = .mebibytes(1) }
        try await running(tested) { source in
            let port = try source.port()
            // Less than the kernel's buffers take for connections that are not read. When the end of a stream reaches
            // the source, NIO reads what the kernel holds of it at once, over the budget; the others then wait.
            for _ in 0..<4 {
                let sender = try await Sender.connect(port)
                try await sender.send(block)
                try await sender.close()
            }
            try await world.time.sleep(for: .milliseconds(300))
            #expect(tested.heldBytes > 0 && tested.heldBytes <= 4 * 1_000_000)
            intake.open()
            #expect(await eventually { intake.eventCount == 4_000 })
        }
        #expect(intake.byteCount == 4_000_000)
        #expect(tested.heldBytes == 0)
    }

    @Test("A line of 50 MB is cut, counted, and the next line is whole")
    func longLine() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = source(intake) { $0.eventMost = .kibibytes(64) }
        try await running(tested) { source in
            let sender = try await Sender.connect(source.port())
            let block = ByteBuffer(repeating: 0x7A, count: 1 << 20)
            for _ in 0..<50 { try await sender.send(block) }
            try await sender.send("\nnext\n")
            #expect(await eventually { intake.eventCount == 2 })
            try await sender.close()
        }
        #expect(intake.events.map(\.utf8.count) == [65_536, 4])
        #expect(intake.events.first?.hasSuffix("…[cut]") == true)
        #expect(tested.meter.reading.malformed == ["too_long": 1])
    }

    @Test("A thousand connections send, and one more is refused")
    func many() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = source(intake) { $0.connectionsMost = 1_000 }
        try await running(tested) { source in
            let port = try source.port()
            var senders: [Sender] = []
            for _ in 0..<1_000 { senders.append(try await Sender.connect(port)) }
            #expect(await eventually { tested.meter.reading.connections == 1_000 })
            for (index, sender) in senders.enumerated() { try await sender.send("hello \(index)\n") }
            #expect(await eventually { intake.eventCount == 1_000 })
            let late = try await Sender.connect(port)
            #expect(await eventually { tested.meter.reading.refused == ["too_many_connections": 1] })
            try await late.channel.closeFuture.get()
            for sender in senders { try await sender.close() }
            #expect(await eventually { tested.meter.reading.connections == 0 })
        }
        #expect(Set(intake.events).count == 1_000)
        #expect(tested.heldBytes == 0)
    }

    @Test("Stopping hands on what was read, then ends the run")
    func stopping() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = source(intake)
        try await running(tested) { source in
            let sender = try await Sender.connect(source.port())
            try await sender.send("one\ntwo\nhal")
            #expect(await eventually { intake.eventCount == 2 })
        }
        #expect(intake.events == ["one", "two", "hal"])
        #expect(tested.meter.reading.malformed == ["cut_at_stop": 1])
    }

    @Test("A port in use is said in words")
    func portInUse() async throws {
        let first = source(RecordingIntake(time: world.time))
        try await running(first) { running in
            let port = try running.port()
            let second = source(RecordingIntake(time: world.time)) { $0.listen = ["127.0.0.1:\(port)"] }
            await #expect(throws: SourceFailure.self) { try await second.open() }
        }
    }
}
