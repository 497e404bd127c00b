import Foundation
import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWires
import WeirWorld

@Suite(.timeLimit(.minutes(5))) struct SplunkHECDestinationTests {
    static func settings(_ url: String, _ change: (inout SplunkHECDestination.Settings) -> Void = { _ in })
        -> SplunkHECDestination.Settings
    {
        var settings = SplunkHECDestination.Settings()
        settings.url = url
        settings.token = Secret("t0ken")
        settings.compress = .none
        change(&settings)
        return settings
    }

    @Test("Envelopes carry time, host, index and the event; the token goes along")
    func envelopes() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: "{\"text\":\"Success\",\"code\":0}"))
        let destination = try Bench.endpoint(
            Self.settings("http://127.0.0.1:\(receiver.port)") { settings in
                settings.index = "main"
                settings.host = .expression("event.host")
            })
        var context = Bench.jsonContext
        context.received = WallTime(nanoseconds: 1_763_726_400_250_000_000)
        let report = try await destination.send(
            Batch.texts(["{\"host\":\"a\\\"b\"}", "{\"other\":1}", "{\"host\":\"c\"}"], context: context))
        #expect(report.rejected.map(\.index) == [1])
        let request = try #require(receiver.requests.first)
        #expect(request.target == "/services/collector/event")
        #expect(request.header("authorization") == "Splunk t0ken")
        #expect(
            String(buffer: request.body)
                == "{\"time\":1763726400.250,\"host\":\"a\\\"b\",\"source\":\"test\",\"index\":\"main\","
                + "\"event\":{\"host\":\"a\\\"b\"}}\n"
                + "{\"time\":1763726400.250,\"host\":\"c\",\"source\":\"test\",\"index\":\"main\","
                + "\"event\":{\"host\":\"c\"}}\n"
        )
        await destination.close()
        await receiver.stop()
    }

    @Test("Text goes as a string, packed when asked")
    func text() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: "{\"text\":\"Success\",\"code\":0}"))
        let destination = try Bench.endpoint(
            Self.settings("http://127.0.0.1:\(receiver.port)/own/path") { $0.compress = .gzip })
        _ = try await destination.send(Bench.batch("say \"hi\""))
        let request = try #require(receiver.requests.first)
        #expect(request.target == "/own/path")
        let body = String(buffer: try Compression.decode(request.body, .gzip))
        #expect(body == "{\"time\":0.000,\"source\":\"test\",\"event\":\"say \\\"hi\\\"\"}\n")
        await receiver.stop()
    }

    @Test(
        "The answer's code decides what happens next",
        arguments: [
            (400, "{\"code\":6,\"invalid-event-number\":1}", "report"), (400, "{\"code\":6}", "rejected"),
            (400, "{\"code\":6,\"invalid-event-number\":9}", "rejected"),
            (400, "{\"code\":7}", "misconfigured"), (400, "{\"code\":10}", "misconfigured"), (400, "what?", "rejected"),
            (403, "{\"code\":4}", "misconfigured"),
            (401, "{\"code\":3}", "misconfigured"), (503, "{\"code\":9}", "busy"), (500, "{\"code\":8}", "busy"),
            (400, "{\"code\":6,\"invalid-event-number\":-1}", "rejected"),
        ])
    func codes(status: Int, body: String, expected: String) async throws {
        let receiver = try await HTTPReceiver.start(.status(status, body: body))
        let destination = try Bench.endpoint(Self.settings("http://127.0.0.1:\(receiver.port)"))
        var report: DeliveryReport?
        let failed = await failure { () async throws(DeliveryFailure) in
            report = try await destination.send(Bench.batch("a", "b", "c"))
        }
        switch (failed, expected) {
        case (nil, "report"):
            #expect(report?.rejected.map(\.index) == [1])
            #expect(report?.postponed.map(\.index) == [0, 2])
        case (.rejected?, "rejected"), (.misconfigured?, "misconfigured"), (.busy?, "busy"): break
        default: Issue.record("\(String(describing: failed)) is not \(expected)")
        }
        await receiver.stop()
    }
}
