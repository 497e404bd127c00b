import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings

@Suite(.timeLimit(.minutes(5))) struct ElasticsearchDestinationTests {
    static func settings(_ url: String, _ change: (inout ElasticsearchDestination.Settings) -> Void = { _ in })
        -> ElasticsearchDestination.Settings
    {
        var settings = ElasticsearchDestination.Settings()
        settings.url = url
        settings.index = "logs"
        change(&settings)
        return settings
    }

    static let fine = "{\"errors\":false,\"items\":[]}"

    @Test("A bulk request has an action and a document a line")
    func body() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: Self.fine))
        let destination = try Bench.endpoint(Self.settings("http://127.0.0.1:\(receiver.port)"))
        _ = try await destination.send([Bench.json("{\"a\":1}"), Bench.batch("text")])
        let request = try #require(receiver.requests.first)
        #expect(request.target.hasPrefix("/_bulk?filter_path=errors,items.*.status"))
        #expect(request.header("content-type") == "application/x-ndjson")
        #expect(
            String(buffer: request.body)
                == "{\"create\":{\"_index\":\"logs\"}}\n{\"a\":1}\n"
                + "{\"create\":{\"_index\":\"logs\"}}\n{\"message\":\"text\"}\n"
        )
        await receiver.stop()
    }

    @Test("Index and id may come from the event; an event without them is refused alone")
    func expressions() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: Self.fine))
        let destination = try Bench.endpoint(
            Self.settings("http://127.0.0.1:\(receiver.port)/es") { settings in
                settings.index = .expression("'logs-' + event.app")
                settings.id = .expression("event.id")
                settings.action = .index
                var auth = ElasticsearchDestination.Auth()
                auth.apiKey = Secret("k3y")
                settings.auth = auth
            })
        let report = try await destination.send(Bench.json("{\"app\":\"x\\\"y\",\"id\":7}", "{\"app\":\"b\"}"))
        #expect(report.rejected.map(\.index) == [1])
        let request = try #require(receiver.requests.first)
        #expect(request.header("authorization") == "ApiKey k3y")
        #expect(request.target.hasPrefix("/es?"))
        #expect(
            String(buffer: request.body)
                == "{\"index\":{\"_index\":\"logs-x\\\"y\",\"_id\":\"7\"}}\n{\"app\":\"x\\\"y\",\"id\":7}\n")
        await receiver.stop()
    }

    @Test("Only the items that failed for now are sent again; what is there already counts as delivered")
    func items() async throws {
        let items = [201, 429, 400, 409, 503, 200].map { status in
            status < 300
                ? "{\"create\":{\"status\":\(status)}}"
                : "{\"create\":{\"status\":\(status),"
                    + "\"error\":{\"type\":\"t\\u0007\(status)\",\"reason\":\"because\\nof it\"}}}"
        }
        let receiver = try await HTTPReceiver.start(
            .status(200, body: "{\"errors\":true,\"items\":[\(items.joined(separator: ","))]}"))
        let destination = try Bench.endpoint(Self.settings("http://127.0.0.1:\(receiver.port)"))
        let report = try await destination.send(Bench.json("{}", "{}", "{}", "{}", "{}", "{}"))
        #expect(report.rejected.map(\.index) == [2])
        #expect(
            report.rejected.first?.reason == Reason("item_400", "The item was answered with 400: t 400: because of it"))
        #expect(report.postponed.map(\.index) == [1, 4])
        #expect(report.postponed.map(\.reason.code) == ["item_429", "item_503"])
        await receiver.stop()
    }

    @Test(
        "An answer that is no bulk answer is a busy receiver, never a delivery",
        arguments: [
            "", "{}", "[]", "hello", "{\"errors\":true}", "{\"errors\":true,\"items\":[]}",
            "{\"errors\":true,\"items\":[{\"create\":{}},{\"create\":{}}]}",
            "{\"errors\":true,\"items\":[1,2]}", "{\"errors\":\"false\"}",
            "{\"items\":[{\"a\":{\"status\":1e300}},{\"a\":{\"status\":201}}]}", "{\"x\":\"\\\"errors\\\":false\"}",
        ])
    func garbage(body: String) async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: body))
        let destination = try Bench.endpoint(Self.settings("http://127.0.0.1:\(receiver.port)"))
        let failed = await failure { () async throws(DeliveryFailure) in
            _ = try await destination.send(Bench.json("{}", "{}"))
        }
        guard case .busy(let reason, _) = failed else {
            Issue.record("not busy: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "bad_answer")
        await receiver.stop()
    }

    @Test("Settings that cannot work are said with their key")
    func mistakes() {
        var problems: [SettingProblem] = []
        _ = ElasticsearchDestination.Settings.read(
            from: .map(["url": .text("http://x"), "index": .text("a"), "id": .text("fixed")]), path: "d",
            problems: &problems)
        #expect(problems.map(\.path) == ["d.id"])
        let wrong = Bench.planned(
            Self.settings("http://x") {
                $0.index = .expression(ExpressionText("event.", path: "destinations.test.index.expr"))
            })
        #expect(wrong.plan == nil)
        #expect(wrong.problems.map(\.path) == ["destinations.test.index.expr"])
    }
}
