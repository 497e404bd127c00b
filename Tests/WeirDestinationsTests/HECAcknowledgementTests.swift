import NIOCore
import Synchronization
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

@testable import WeirDestinations

/// A collector that gives each request a number and acknowledges as told.
private final class FakeCollector: Sendable {
    private struct State {
        var next = 0
        var questions: [[Int]] = []
    }
    private let state = Mutex(State())
    /// Numbers of a question, and which question it is: which of them are indexed; `nil` for no such answer.
    private let indexed: @Sendable ([Int], Int) -> [Int]?
    private let refusal: (Int, String)?

    init(refusal: (Int, String)? = nil, indexed: @escaping @Sendable ([Int], Int) -> [Int]?) {
        self.refusal = refusal
        self.indexed = indexed
    }

    var questions: [[Int]] { state.withLock { $0.questions } }
    var sent: Int { state.withLock { $0.next } }

    func answer(_ request: HTTPReceiver.Request) -> HTTPReceiver.Answer {
        guard request.target.contains("/ack?channel=") else {
            let number = state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            return .status(200, body: "{\"text\":\"Success\",\"code\":0,\"ackId\":\(number)}")
        }
        if let refusal { return .status(refusal.0, body: refusal.1) }
        let numbers = String(buffer: request.body).split { !$0.isNumber }.compactMap { Int($0) }
        let count = state.withLock { state in
            state.questions.append(numbers)
            return state.questions.count
        }
        guard let safe = indexed(numbers, count) else { return .status(503, body: "{\"text\":\"busy\",\"code\":9}") }
        let said = numbers.map { "\"\($0)\":\(safe.contains($0))" }.joined(separator: ",")
        return .status(200, body: "{\"acks\":{\(said)}}")
    }
}

@Suite("splunk hec acknowledgements", .timeLimit(.minutes(5)))
struct HECAcknowledgementTests {
    private func running(
        _ collector: FakeCollector, patience: Duration = .seconds(20),
        _ body: (any Destination, HTTPReceiver) async throws -> Void
    ) async throws {
        let receiver = try await HTTPReceiver.start { collector.answer($0) }
        let destination = try Bench.endpoint(
            SplunkHECDestinationTests.settings("http://127.0.0.1:\(receiver.port)") {
                $0.acknowledge = true
                $0.ackTimeout = patience
            })
        try await body(destination, receiver)
        await destination.close()
        await receiver.stop()
    }

    @Test("Delivered is said when the indexers have it, on one channel, also when the question fails once")
    func late() async throws {
        let collector = FakeCollector { numbers, question in question < 2 ? nil : numbers }
        try await running(collector) { destination, receiver in
            let report = try await destination.send(Bench.batch("a"))
            #expect(report.rejected.isEmpty && report.postponed.isEmpty)
            #expect(collector.questions == [[0], [0]])
            let channels = Set(receiver.requests.map { $0.header("x-splunk-request-channel") })
            #expect(channels.count == 1)
            let channel = try #require(channels.first ?? nil)
            #expect(channel.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12])
            #expect(
                receiver.requests.map(\.target) == [
                    "/services/collector/event", "/services/collector/ack?channel=\(channel)",
                    "/services/collector/ack?channel=\(channel)",
                ])
            #expect(receiver.requests.allSatisfy { $0.header("authorization") == "Splunk t0ken" })
        }
    }

    @Test("What is never acknowledged times out, to be sent again")
    func never() async throws {
        try await running(FakeCollector { _, _ in [] }, patience: .seconds(1)) { destination, _ in
            let failed = await failure { () async throws(DeliveryFailure) in
                _ = try await destination.send(Bench.batch("a"))
            }
            guard case .timedOut(let reason) = failed else {
                Issue.record("\(String(describing: failed))")
                return
            }
            #expect(reason.code == "ack_timeout")
        }
    }

    @Test("Of several requests only those without an acknowledgement time out; one question asks about all")
    func partially() async throws {
        let collector = FakeCollector { numbers, _ in numbers.filter { $0 % 2 == 0 } }
        try await running(collector, patience: .seconds(6)) { destination, _ in
            let kept = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<6 {
                    group.addTask {
                        await failure { () async throws(DeliveryFailure) in
                            _ = try await destination.send(Bench.batch("event \(number)"))
                        } == nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(kept == 3)
            #expect(collector.questions.contains { $0.count > 1 })
            // Six that asked for themselves would ask three times as often.
            #expect(collector.questions.count <= 8)
        }
    }

    @Test(
        "A channel that is refused suspends; so does a token without acknowledgement",
        arguments: [
            (400, "{\"text\":\"ACK is disabled\",\"code\":14}"), (403, "{\"text\":\"Invalid token\",\"code\":4}"),
        ])
    func refused(status: Int, body: String) async throws {
        try await running(FakeCollector(refusal: (status, body)) { _, _ in [] }) { destination, _ in
            let failed = await failure { () async throws(DeliveryFailure) in
                _ = try await destination.send(Bench.batch("a"))
            }
            guard case .misconfigured = failed else {
                Issue.record("\(String(describing: failed))")
                return
            }
        }
    }

    @Test("A collector that gives no number is told apart")
    func noNumber() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: "{\"text\":\"Success\",\"code\":0}"))
        let destination = try Bench.endpoint(
            SplunkHECDestinationTests.settings("http://127.0.0.1:\(receiver.port)") { $0.acknowledge = true })
        let failed = await failure { () async throws(DeliveryFailure) in
            _ = try await destination.send(Bench.batch("a"))
        }
        guard case .misconfigured(let reason) = failed else {
            Issue.record("\(String(describing: failed))")
            return
        }
        #expect(reason.code == "hec_no_ack")
        await receiver.stop()
    }

    @Test("Without the setting there is no channel")
    func off() async throws {
        let receiver = try await HTTPReceiver.start(.status(200, body: "{\"text\":\"Success\",\"code\":0}"))
        let destination = try Bench.endpoint(SplunkHECDestinationTests.settings("http://127.0.0.1:\(receiver.port)"))
        _ = try await destination.send(Bench.batch("a"))
        #expect(receiver.requests.map { $0.header("x-splunk-request-channel") } == [nil])
        await receiver.stop()
    }

    @Test("Questions become rarer while nothing is acknowledged, and begin anew when something is")
    func book() {
        var book = HECAckBook(patience: .seconds(60))
        var now = Moment.zero + .seconds(100)
        book.add(1, at: now)
        book.add(2, at: now)
        var waits: [Duration] = []
        for _ in 0..<6 {
            guard case .wait(let next) = book.step(1, at: now) else {
                Issue.record("asks too early")
                return
            }
            waits.append(next - now)
            now = next
            #expect(book.step(1, at: now) == .ask([1, 2]))
            #expect(book.step(2, at: now) == .wait(until: now + HECAckBook.waitFirst))
            book.failed(at: now)
        }
        #expect(
            waits == [
                .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(8),
            ])
        now = now + .seconds(8)
        #expect(book.step(1, at: now) == .ask([1, 2]))
        book.answered([2, 77], at: now)
        #expect(book.step(2, at: now) == .acknowledged)
        #expect(book.step(1, at: now) == .wait(until: now + HECAckBook.waitFirst))
        #expect(book.step(1, at: Moment.zero + .seconds(160)) == .expired)
        #expect(book.count == 0)
    }

    @Test(
        "Where questions go follows from where events go",
        arguments: [
            ("http://a/services/collector/event", "/services/collector/ack?channel=x"),
            ("http://a/services/collector/raw/1.0", "/services/collector/ack?channel=x"),
            ("http://a/own/collector/?k=v", "/own/collector/ack?channel=x"),
        ])
    func place(url: String, target: String) throws {
        #expect(HECChannel.place(for: try HTTPAddress(url), channel: "x").target == target)
    }
}
