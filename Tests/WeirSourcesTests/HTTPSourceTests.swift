import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWires
import WeirWorld

@testable import WeirSources

func httpSource(_ intake: any Intake, _ change: (inout HTTPSource.Settings) -> Void = { _ in }) -> HTTPSource {
    var settings = HTTPSource.Settings()
    settings.listen = ["127.0.0.1:0"]
    change(&settings)
    return HTTPSource(name: "ingest", settings: settings, intake: intake, world: .tests, eventLoops: loops)
}

@Suite("http source")
struct HTTPSourceTests {
    let world = World.tests

    @Test("NDJSON, an array, values one after the other, and lines")
    func shapes() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(httpSource(intake)) { source in
            let port = try source.port("http")
            let ndjson = try await request(
                port, headers: ["Content-Type: application/x-ndjson"], text: "{\"a\":1}\n{\"a\":2}\nodd")
            #expect(ndjson.status == 200 && ndjson.body == "{\"accepted\":3}")
            let array = try await request(
                port, headers: ["Content-Type: application/json; charset=utf-8"],
                text: "[ {\"a\":\n3}, {\"a\":[\"]\",4]} ]")
            #expect(array.body == "{\"accepted\":2}")
            let several = try await request(
                port, headers: ["Content-Type: application/json"], text: "{\"a\":5}\n{\"a\":\n6}")
            #expect(several.body == "{\"accepted\":2}")
            let lines = try await request(port, headers: ["Content-Type: text/plain"], text: "one\r\ntwo\n\nthree")
            #expect(lines.body == "{\"accepted\":3}")
            let broken = try await request(
                port, headers: ["Content-Type: application/json"], text: "[{\"a\":7}, {\"a\":")
            #expect(broken.status == 400 && broken.body.contains("invalid_json"))
            #expect(broken.body.hasSuffix(",\"accepted\":1}"))
            let empty = try await request(port, text: "")
            #expect(empty.body == "{\"accepted\":0}")
            return
        }
        #expect(
            intake.events == [
                "{\"a\":1}", "{\"a\":2}", "odd", "{\"a\":3}", "{\"a\":[\"]\",4]}", "{\"a\":5}", "{\"a\":6}", "one",
                "two", "three", "{\"a\":7}",
            ])
        #expect(intake.batches.map(\.kind) == [.json, .raw, .json, .json, .raw, .json])
    }

    @Test("Packed bodies are read; a bomb is refused with little memory", arguments: ContentCoding.allCases)
    func packed(coding: ContentCoding) async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake)
        try await running(tested) { source in
            let port = try source.port("http")
            let body = try Compression.encode(ByteBuffer(string: "one\ntwo\n"), coding)
            let reply = try await request(port, headers: ["Content-Encoding: \(coding.rawValue)"], body: body)
            #expect(reply.status == 200)
            let bomb = try Compression.encode(ByteBuffer(repeating: 0x61, count: 200 << 20), coding)
            let refused = try await request(port, headers: ["Content-Encoding: \(coding.rawValue)"], body: bomb)
            #expect(refused.status == 413)
            let damaged = try await request(
                port, headers: ["Content-Encoding: \(coding.rawValue)"], text: "certainly not packed")
            #expect(damaged.status == 400)
            let odd = try await request(port, headers: ["Content-Encoding: br"], text: "x")
            #expect(odd.status == 415)
            return
        }
        // One line of a bomb may come through before it shows what it is: cut to the longest event.
        #expect(intake.events.prefix(2) == ["one", "two"])
        #expect(intake.events.dropFirst(2).count <= 1 && intake.byteCount <= 2 << 20)
        #expect(tested.heldBytes == 0)
    }

    @Test("Only who knows a token may send")
    func tokens() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake) { $0.tokens = [Secret("s3cret"), Secret("other")] }
        try await running(tested) { source in
            let port = try source.port("http")
            #expect(try await request(port, text: "x").status == 401)
            #expect(try await request(port, headers: ["Authorization: Bearer s3cre"], text: "x").status == 401)
            #expect(try await request(port, headers: ["Authorization: Bearer s3crets3cret"], text: "x").status == 401)
            #expect(try await request(port, headers: ["Authorization: Bearer"], text: "x").status == 401)
            #expect(try await request(port, headers: ["Authorization: Bearer other"], text: "x").status == 200)
            // user:s3cret
            #expect(
                try await request(port, headers: ["Authorization: Basic dXNlcjpzM2NyZXQ="], text: "x").status == 200)
            return
        }
        #expect(intake.eventCount == 2)
        #expect(tested.meter.reading.refused == ["unauthorized": 4])
    }

    @Test("A token that could not be fetched opens nothing")
    func unresolvedToken() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(httpSource(intake) { $0.tokens = [Secret(.environment("NONE"), text: "")] }) { source in
            let port = try source.port("http")
            #expect(try await request(port, text: "x").status == 401)
            #expect(try await request(port, headers: ["Authorization: Bearer "], text: "x").status == 401)
        }
        #expect(intake.eventCount == 0)
    }

    @Test("Without room a request waits, then is told when to come back")
    func busy() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.close()
        let tested = httpSource(intake) { $0.wait = .milliseconds(200) }
        try await running(tested) { source in
            let port = try source.port("http")
            let before = world.time.now
            let reply = try await request(port, text: "x")
            #expect(reply.status == 429 && reply.head.contains("Retry-After: 7"))
            #expect(world.time.now - before >= .milliseconds(190))
            intake.open()
            #expect(try await request(port, text: "x").status == 200)
        }
        #expect(tested.meter.reading.refused == ["busy": 1])
    }

    @Test("Success is said only when the events are safe")
    func safe() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.setSettlement(nil)
        try await running(httpSource(intake) { $0.busyStatus = .unavailable }) { source in
            let port = try source.port("http")
            async let first = request(port, text: "x")
            #expect(await eventually { intake.eventCount == 1 })
            intake.settle(.kept)
            #expect(try await first.status == 200)
            intake.setSettlement(.lost(Reason("gone", "The destination is gone.")))
            let lost = try await request(port, text: "z")
            #expect(lost.status == 503 && lost.body.contains("The destination is gone."))
            intake.refuse(.stopped)
            #expect(try await request(port, text: "z").status == 503)
        }
    }

    @Test("What is not safe in time is to be sent again")
    func notSafeInTime() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.setSettlement(nil)
        try await running(
            httpSource(intake) {
                $0.settleWait = .milliseconds(100)
                $0.busyStatus = .unavailable
            }
        ) { source in
            let port = try source.port("http")
            #expect(try await request(port, text: "y").status == 503)
            intake.settle(.kept)
        }
    }

    @Test("One connection serves many requests, also pipelined ones")
    func keepAlive() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake)
        try await running(tested) { source in
            let talk = try await HTTPTalk(port: source.port("http"))
            var text = ""
            for number in 0..<50 {
                let body = "line \(number)\n"
                text += "POST / HTTP/1.1\r\nHost: weir\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            try await talk.send(text)
            #expect(await eventually { talk.text.components(of: "HTTP/1.1 200 OK") == 50 })
            #expect(tested.meter.reading.connections == 1)
            await talk.close()
        }
        #expect(intake.events == (0..<50).map { "line \($0)" })
    }

    @Test("Expect: 100-continue is answered before the body, or refused without it")
    func expectations() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(httpSource(intake) { $0.bodyMost = .kibibytes(1) }) { source in
            let port = try source.port("http")
            let talk = try await HTTPTalk(port: port)
            try await talk.send(
                "POST / HTTP/1.1\r\nHost: weir\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: "
                    + "close\r\n\r\n"
            )
            #expect(await eventually { talk.text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\n") })
            try await talk.send("hello")
            #expect(await talk.rest().contains("200 OK"))
            let large = try await HTTPTalk(port: port)
            try await large.send(
                "POST / HTTP/1.1\r\nHost: weir\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n")
            #expect(await large.rest().hasPrefix("HTTP/1.1 413"))
        }
        #expect(intake.events == ["hello"])
    }

    @Test("A million header fields, one huge field, and what is not HTTP are refused")
    func heads() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake)
        try await running(tested) { source in
            let port = try source.port("http")
            let many = try await HTTPTalk(port: port)
            try await many.send("POST / HTTP/1.1\r\nHost: weir\r\n")
            let block = ByteBuffer(string: String(repeating: "A: b\r\n", count: 10_000))
            for _ in 0..<100 { if (try? await many.send(block)) == nil { break } }
            #expect(await many.rest().hasPrefix("HTTP/1.1 431"))
            let huge = try await HTTPTalk(port: port)
            try? await huge.send("POST / HTTP/1.1\r\nHost: weir\r\nA: " + String(repeating: "b", count: 100_000))
            #expect(await huge.rest().hasPrefix("HTTP/1.1 431"))
            let odd = try await HTTPTalk(port: port)
            try? await odd.send("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n")
            #expect(await odd.rest().hasPrefix("HTTP/1.1 400"))
            #expect(try await request(port, "GET", "/nothing", text: "").status == 404)
            #expect(try await request(port, "DELETE", "/", text: "").status == 405)
        }
        #expect(intake.eventCount == 0)
        #expect(tested.meter.reading.refused["headers_too_large"] == 2)
    }

    @Test("A head, a body and a pause that take too long end the connection")
    func slow() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake) {
            $0.headerTimeout = .milliseconds(150)
            $0.idleTimeout = .seconds(3)
            $0.bodyGrace = .milliseconds(150)
            $0.bodyRate = ByteCount(Int64(1_000))
        }
        try await running(tested) { source in
            let port = try source.port("http")
            let head = try await HTTPTalk(port: port)
            try? await head.send("POST / HTTP/1.1\r\nHost: we")
            #expect(await head.rest().hasPrefix("HTTP/1.1 408"))
            let body = try await HTTPTalk(port: port)
            try? await body.send("POST / HTTP/1.1\r\nHost: weir\r\nContent-Length: 100000\r\n\r\n")
            for _ in 0..<500 where !body.isClosed {
                try? await body.send("x")
                try await world.time.sleep(for: .milliseconds(10))
            }
            #expect(body.text.hasPrefix("HTTP/1.1 408"))
            let idle = try await HTTPTalk(port: port)
            #expect(await idle.rest() == "")
        }
        #expect(tested.meter.reading.refused["header_timeout"] == 1)
        #expect(tested.meter.reading.refused["body_timeout"] == 1)
        #expect(tested.meter.reading.connections == 0)
    }

    @Test("A body in single bytes and chunks is whole")
    func dripping() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(
            httpSource(intake) {
                $0.headerTimeout = .seconds(60)
                $0.bodyRate = .zero
            }
        ) { source in
            let talk = try await HTTPTalk(port: source.port("http"))
            let text =
                "POST / HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\nConnection: "
                + "close\r\n\r\n4\r\none\n\r\n3\r\ntwo\r\n0\r\n\r\n"
            for byte in text.utf8 { try await talk.send(ByteBuffer(bytes: [byte])) }
            #expect(await talk.rest().contains("{\"accepted\":2}"))
        }
        #expect(intake.events == ["one", "two"])
    }

    @Test("When bodies fill the memory that there is for them, the next one is told to come later")
    func memory() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake) {
            $0.buffer = .mebibytes(1)
            $0.bodyMost = .mebibytes(8)
        }
        try await running(tested) { source in
            let port = try source.port("http")
            let held = try await HTTPTalk(port: port)
            try await held.send("POST / HTTP/1.1\r\nHost: weir\r\nContent-Length: 1000000\r\n\r\n")
            try await held.send(ByteBuffer(repeating: 0x61, count: 999_999))
            #expect(await eventually { tested.heldBytes == 999_999 })
            let refused = try await request(port, text: String(repeating: "b", count: 200_000))
            #expect(refused.status == 429)
            try await held.send("\n")
            #expect(await eventually { held.text.contains("{\"accepted\":1}") })
            await held.close()
            #expect(await eventually { tested.heldBytes == 0 })
        }
    }

    @Test("Stopping lets the request that is worked on have its answer")
    func stopping() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.setSettlement(nil)
        let tested = httpSource(intake)
        try await tested.open()
        let run = Task { try await tested.run() }
        async let reply = request(try tested.port("http"), text: "x")
        #expect(await eventually { intake.eventCount == 1 })
        await tested.stop()
        intake.settle(.kept)
        #expect(try await reply.status == 200)
        try await run.value
    }
}

extension String {
    func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
