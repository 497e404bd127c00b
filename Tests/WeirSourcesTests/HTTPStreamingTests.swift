import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWires
import WeirWorld

@testable import WeirSources

@Suite("http bodies that are handed on while they come", .serialized)
struct HTTPStreamingTests {
    let world = World.tests
    private let room = Reason("full", "There is no room.")

    /// Numbered lines of 100 bytes.
    private func lines(_ range: Range<Int>, _ prefix: String = "", _ suffix: String = "") -> ByteBuffer {
        var bytes = ByteBuffer()
        for number in range {
            let text = prefix + String(number) + suffix
            bytes.writeString(text)
            bytes.writeRepeatingByte(0x20, count: max(0, 99 - text.utf8.count))
            bytes.writeString("\n")
        }
        return bytes
    }

    /// All numbers from 0, each once. (`==` in an expectation would look for the difference for minutes.)
    private func isInOrder(_ intake: RecordingIntake, _ count: Int) -> Bool {
        intake.events.lazy.map { $0.utf8.filter { (0x30...0x39).contains($0) } }.elementsEqual(
            (0..<count).lazy.map { Array(String($0).utf8) })
    }

    private func head(_ path: String, _ length: Int?, _ headers: [String] = []) -> String {
        let size = length.map { "Content-Length: \($0)" } ?? "Transfer-Encoding: chunked"
        let all = ["POST \(path) HTTP/1.1", "Host: weir", "Connection: close", size] + headers
        return all.joined(separator: "\r\n") + "\r\n\r\n"
    }

    @Test("Events are handed on before the end of their body has come; success is said when all are safe")
    func early() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.setSettlement(nil)
        try await running(httpSource(intake)) { source in
            let talk = try await HTTPTalk(port: source.port("http"))
            try await talk.send(head("/", 2_000_000))
            try await talk.send(lines(0..<10_000))
            #expect(await eventually { intake.eventCount > 5_000 })
            #expect(talk.text.isEmpty)
            try await talk.send(lines(10_000..<20_000))
            #expect(await eventually { intake.eventCount == 20_000 })
            #expect(talk.text.isEmpty)
            intake.settle(.kept)
            #expect(HTTPReply(await talk.rest()).body == "{\"accepted\":20000}")
        }
        #expect(isInOrder(intake, 20_000))
    }

    @Test("Without room the socket is not read: memory stays small, and nothing is lost", arguments: [false, true])
    func held(isPacked: Bool) async throws {
        let intake = RecordingIntake(time: world.time)
        intake.close()
        let tested = httpSource(intake) {
            $0.bodyMost = .mebibytes(64)
            $0.wait = .seconds(60)
            // The sender is not slow: it is held.
            $0.bodyGrace = .seconds(2)
        }
        try await running(tested) { source in
            var body = lines(0..<60_000)
            // What fits in the kernel's buffers is read at once when the sender closes; so it does not close.
            if isPacked { body = try Compression.encode(body, .gzip) }
            let talk = try await HTTPTalk(port: source.port("http"))
            try await talk.send(head("/", body.readableBytes, isPacked ? ["Content-Encoding: gzip"] : []))
            let sending = Task { [body] in try await talk.send(body) }
            #expect(await eventually { tested.heldBytes > 200_000 })
            try await world.time.sleep(for: .milliseconds(2_500))
            #expect(tested.heldBytes < 2 << 20)
            #expect(talk.text.isEmpty)
            intake.open()
            try await sending.value
            #expect(HTTPReply(await talk.rest()).body == "{\"accepted\":60000}")
        }
        #expect(isInOrder(intake, 60_000))
        #expect(tested.heldBytes == 0)
    }

    @Test("Whoever is refused in the middle is told how many events are safe")
    func refusedInTheMiddle() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.refuse(.full(room, retryAfter: .seconds(3)), after: 2)
        let tested = httpSource(intake) { $0.bodyMost = .mebibytes(4) }
        try await running(tested) { source in
            let port = try source.port("http")
            let reply = try await request(port, body: lines(0..<20_000))
            #expect(reply.status == 429 && reply.head.contains("Retry-After: 3"))
            #expect(reply.body.hasSuffix(",\"accepted\":\(intake.eventCount)}"))
            #expect(intake.eventCount > 1_000)
            intake.refuse(nil)
            let before = intake.eventCount
            let large = try await HTTPTalk(port: port)
            try await large.send(head("/", nil))
            for part in 0..<10 {
                let piece = lines(part * 10_000..<(part + 1) * 10_000)
                var chunk = ByteBuffer(string: String(piece.readableBytes, radix: 16) + "\r\n")
                chunk.writeImmutableBuffer(piece)
                chunk.writeString("\r\n")
                if (try? await large.send(chunk)) == nil { break }
            }
            let refused = HTTPReply(await large.rest())
            #expect(refused.status == 413)
            #expect(refused.body.hasSuffix(",\"accepted\":\(intake.eventCount - before)}"))
            #expect(intake.eventCount - before <= 4 << 20 / 100)
        }
        #expect(tested.heldBytes == 0)
    }

    @Test("A sender that goes away in the middle leaves nothing behind but what was handed on")
    func goneInTheMiddle() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake)
        try await running(tested) { source in
            let talk = try await HTTPTalk(port: source.port("http"))
            try await talk.send(head("/", 5_000_000))
            try await talk.send(lines(0..<10_000))
            #expect(await eventually { intake.eventCount > 5_000 })
            await talk.close()
            #expect(await eventually { tested.meter.reading.connections == 0 })
            #expect(tested.heldBytes == 0)
        }
        #expect(intake.events.allSatisfy { $0.utf8.count == 99 })
    }

    @Test("HEC: what stands before a mistake deep in a body is kept, and the mistake has its number")
    func envelopes() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(httpSource(intake)) { source in
            var body = lines(0..<10_000, "{\"event\":\"", "\"}")
            body.writeString("{\"host\":\"h\"}")
            body.writeImmutableBuffer(lines(10_000..<20_000, "{\"event\":\"", "\"}"))
            let port = try source.port("http")
            let reply = try await request(port, "POST", "/services/collector", body: body)
            #expect(reply.status == 400)
            #expect(reply.body.contains("\"code\":12,\"invalid-event-number\":10000"))
        }
        #expect(isInOrder(intake, 10_000))
    }

    @Test("Bulk: when only a part is taken, only the others are to be sent again")
    func bulk() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.refuse(.full(room, retryAfter: nil), after: 2)
        try await running(httpSource(intake)) { source in
            let port = try source.port("http")
            var body = ByteBuffer()
            for number in 0..<10_000 {
                body.writeString("{\"index\":{\"_index\":\"a\",\"_id\":\"\(number)\"}}\n")
                body.writeImmutableBuffer(lines(number..<number + 1, "{\"n\":", "}"))
            }
            let reply = try await request(port, "POST", "/_bulk", body: body)
            #expect(reply.status == 200 && reply.body.contains("\"errors\":true"))
            #expect(reply.body.components(of: "\"status\":201") == intake.eventCount)
            #expect(reply.body.components(of: "\"status\":429") == 10_000 - intake.eventCount)
            #expect(intake.eventCount > 1_000)
            let last = intake.events.last?.filter(\.isNumber) ?? "none"
            #expect(reply.body.contains("\"_id\":\"\(last)\",\"_version\":1"))
            #expect(isInOrder(intake, intake.eventCount))
        }
    }

    @Test("An event longer than allowed costs no memory, whatever its length", arguments: ["/", "/services/collector"])
    func longEvent(path: String) async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake) {
            $0.bodyMost = .mebibytes(64)
            $0.eventMost = .kibibytes(64)
        }
        try await running(tested) { source in
            let isHEC = path != "/"
            let type = isHEC ? "X: y" : "Content-Type: application/json"
            let talk = try await HTTPTalk(port: source.port("http"))
            try await talk.send(head(path, nil, [type]))
            func chunk(_ bytes: ByteBuffer) async throws {
                try await talk.send("\(String(bytes.readableBytes, radix: 16))\r\n")
                try await talk.send(bytes)
                try await talk.send("\r\n")
            }
            try await chunk(ByteBuffer(string: "{\"event\":\"a\"}{\"event\":\""))
            var most = 0
            for _ in 0..<4 {
                try await chunk(ByteBuffer(repeating: 0x61, count: 1 << 20))
                most = max(most, tested.heldBytes)
            }
            try await chunk(ByteBuffer(string: "\"}{\"event\":\"b\"}"))
            try await talk.send("0\r\n\r\n")
            #expect(HTTPReply(await talk.rest()).status == 200)
            #expect(most < 2 << 20)
        }
        #expect(intake.eventCount == 2)
        #expect(tested.meter.reading.malformed["too_long"] == 1)
    }
}
