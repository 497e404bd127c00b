import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

@Suite("splunk hec door")
struct HECDoorTests {
    let world = World.tests
    let token = ["Authorization: Splunk tok"]

    private func running(
        _ intake: RecordingIntake, ack: Bool = false, _ body: (Int) async throws -> Void
    ) async throws {
        let tested = httpSource(intake) {
            $0.tokens = [Secret("tok")]
            $0.hecAcknowledges = ack
            $0.wait = .milliseconds(50)
        }
        try await WeirSourcesTests.running(tested) { try await body(try $0.port("http")) }
    }

    @Test("Concatenated events keep their origin, their time and their text")
    func events() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(intake) { port in
            let reply = try await request(
                port, "POST", "/services/collector/event", headers: token,
                text: """
                    {"event": "line one\\nline \\u00fctwo \\ud83d\\ude00", "host": "a", "sourcetype":
                    "st"}{"event":{"k":1},"time":1.5,"host":"a"}
                    {"event":{"time":9},"time":2,"host":"a","fields":{"f":1}} {"event":42,"index":"main"}
                    """)
            #expect(reply.status == 200 && reply.body == "{\"text\":\"Success\",\"code\":0}")
        }
        #expect(
            intake.batches.map(\.texts) == [
                ["line one\nline ütwo 😀"], ["{\"time\":1.5,\"k\":1}", "{\"fields\":{\"f\":1},\"time\":9}"], ["42"],
            ])
        #expect(intake.batches.map(\.context.attributes["host"]) == ["a", "a", nil])
        #expect(intake.batches.map(\.context.attributes["sourcetype"]) == ["st", nil, nil])
        #expect(intake.batches.last?.context.attributes["index"] == "main")
    }

    @Test(
        "Mistakes have Splunk's codes and the number of the event",
        arguments: [
            ("", "{\"text\":\"No data\",\"code\":5}", 0),
            (
                "{\"event\":\"a\"}{\"host\":\"b\"}",
                "{\"text\":\"Event field is required\",\"code\":12,\"invalid-event-number\":1}", 1
            ),
            (
                "{\"event\":\"\"}", "{\"text\":\"Event field cannot be blank\",\"code\":13,\"invalid-event-number\":0}",
                0
            ),
            (
                "{\"event\":\"a\"}{\"event\":\"b\"}{\"event\"",
                "{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":2}", 2
            ),
            ("nonsense", "{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":0}", 0),
        ])
    func mistakes(body: String, answer: String, kept: Int) async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(intake) { port in
            let reply = try await request(port, "POST", "/services/collector", headers: token, text: body)
            #expect(reply.status == 400 && reply.body == answer)
        }
        #expect(intake.eventCount == kept)
    }

    @Test("Tokens, health, raw, and the busy answer")
    func others() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(intake) { port in
            let path = "/services/collector/raw"
            #expect(
                try await request(port, "POST", path, text: "x").body == "{\"text\":\"Token is required\",\"code\":2}")
            #expect(
                try await request(port, "POST", path, headers: ["Authorization: Bearer tok"], text: "x").body
                    == "{\"text\":\"Invalid authorization\",\"code\":3}")
            let wrong = try await request(port, "POST", path, headers: ["Authorization: Splunk no"], text: "x")
            #expect(wrong.status == 403 && wrong.body == "{\"text\":\"Invalid token\",\"code\":4}")
            // x:tok
            #expect(
                try await request(
                    port, "POST", path + "/1.0?host=h%31&source=a+b", headers: ["Authorization: Basic eDp0b2s="],
                    text: "one\ntwo"
                ).status == 200)
            let health = try await request(port, "GET", "/services/collector/health/1.0", text: "")
            #expect(health.status == 200 && health.body == "{\"text\":\"HEC is healthy\",\"code\":17}")
            #expect(
                try await request(port, "POST", "/services/collector/ack", headers: token, text: "{}").body
                    == "{\"text\":\"ACK is disabled\",\"code\":14}")
            intake.close()
            let busy = try await request(port, "POST", path, headers: token, text: "x")
            #expect(
                busy.status == 503 && busy.body == "{\"text\":\"Server is busy\",\"code\":9}"
                    && busy.head.contains("Retry-After"))
        }
        #expect(intake.events == ["one", "two"])
        #expect(intake.batches.first?.context.attributes["host"] == "h1")
        #expect(intake.batches.first?.context.attributes["source"] == "a b")
    }

    @Test("Acknowledgements tell when events are safe")
    func acknowledgements() async throws {
        let intake = RecordingIntake(time: world.time)
        intake.setSettlement(nil)
        try await running(intake, ack: true) { port in
            let path = "/services/collector"
            #expect(
                try await request(port, "POST", path, headers: token, text: "{\"event\":\"a\"}").body
                    == "{\"text\":\"Data channel is missing\",\"code\":10}")
            let channel = token + ["X-Splunk-Request-Channel: 7f1b"]
            let first = try await request(port, "POST", path, headers: channel, text: "{\"event\":\"a\"}")
            #expect(first.body == "{\"text\":\"Success\",\"code\":0,\"ackId\":0}")
            let second = try await request(
                port, "POST", path + "?channel=7f1b", headers: token, text: "{\"event\":\"b\"}")
            #expect(second.body == "{\"text\":\"Success\",\"code\":0,\"ackId\":1}")
            let ask = {
                try await request(
                    port, "POST", path + "/ack?channel=7f1b", headers: self.token, text: "{\"acks\":[0,1,7]}"
                ).body
            }
            #expect(try await ask() == "{\"acks\":{\"0\":false,\"1\":false,\"7\":false}}")
            intake.settle(.kept)
            #expect(try await ask() == "{\"acks\":{\"0\":true,\"1\":true,\"7\":false}}")
            #expect(try await ask() == "{\"acks\":{\"0\":false,\"1\":false,\"7\":false}}")
        }
    }

    @Test("What is kept for questions is bounded: the oldest numbers and the most silent channels are forgotten")
    func bounds() {
        let kept = HECAcknowledgements()
        for _ in 0..<10_001 { _ = kept.add(.kept, channel: "a") }
        #expect(kept.status([0, 1, 10_000], channel: "a").map(\.1) == [false, true, true])
        for number in 0..<1_000 { _ = kept.add(.kept, channel: "c\(number)") }
        #expect(kept.status([5], channel: "a").map(\.1) == [false])
        #expect(kept.status([0], channel: "c999").map(\.1) == [true])
        for number in 0..<10 {
            for _ in 0..<10_000 { _ = kept.add(.kept, channel: "d\(number)") }
        }
        #expect(kept.status([0], channel: "c0").map(\.1) == [false])
        #expect(kept.status([9_999], channel: "d9").map(\.1) == [true])
    }
}
