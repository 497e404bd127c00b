import NIOCore
import Synchronization
import WeirTestKit
import WeirWorld

@testable import WeirConnectorKit

/// A platform that answers what a test wants, and remembers what it was asked.
final class FakePlatform: Sendable {
    struct State {
        var asked: [(name: String, variables: JSONObject)] = []
        var queueBytes: Int64? = 0
        var connectorState: String?
        var isResetPending = false
        /// So many requests fail with this before one is answered.
        var failures: [PlatformFailure] = []
        var pushed: [String] = []
    }

    let state = Mutex(State())

    var transport: Transport {
        Transport { [self] body, _ throws(PlatformFailure) in
            let failure = state.withLock { $0.failures.isEmpty ? nil : $0.failures.removeFirst() }
            if let failure { throw failure }
            return answer(body)
        }
    }

    func change(_ change: (inout sending State) -> Void) { state.withLock { change(&$0) } }

    /// The variables of all requests of one name.
    func asked(_ name: String) -> [JSONObject] {
        state.withLock { $0.asked.filter { $0.name == name }.map(\.variables) }
    }

    private func answer(_ body: ByteBuffer) -> Transport.Answer {
        guard let request = try? JSONValue(parsing: Array(body.readableBytesView)).object,
            let query = request["query"]?.text, let variables = request["variables"]?.object
        else { return Transport.Answer(status: 400, body: ByteBuffer(string: "no request")) }
        let name = query.split(separator: " ")[1].prefix { $0 != "(" }
        let data = state.withLock { state -> JSONObject in
            state.asked.append((String(name), variables))
            return Self.data(String(name), variables, &state)
        }
        return Transport.Answer(
            status: 200, body: ByteBuffer(string: JSONValue.object(["data": .object(data)]).json))
    }

    private static func data(_ name: String, _ variables: JSONObject, _ state: inout State) -> JSONObject {
        switch name {
        case "healthCheck": return ["about": ["version": "7.0"]]
        case "RegisterConnector":
            return [
                "registerConnector": [
                    "id": variables["input"]?.object?["id"] ?? .null, "connector_user_id": "user",
                    "connector_state": state.connectorState.map { .string($0) } ?? .null,
                ]
            ]
        case "PingConnector":
            // As Weir and OpenCTI do it: after a reset, what the next ping brings is dropped.
            if state.isResetPending {
                state.isResetPending = false
            } else {
                state.connectorState = variables["state"]?.text
            }
            return [
                "pingConnector": [
                    "id": "1", "connector_state": state.connectorState.map { .string($0) } ?? .null,
                ]
            ]
        case "GetConnector":
            let size: JSONValue = state.queueBytes.map { .integer($0) } ?? .null
            return ["connector": ["id": "1", "connector_queue_details": ["messages_size": size]]]
        case "workAdd": return ["workAdd": ["id": .string("work_\(state.asked.count)")]]
        case "StixBundlePush":
            state.pushed.append(variables["bundle"]?.text ?? "")
            return ["stixBundlePush": true]
        default: return ["workEdit": ["toProcessed": true]]
        }
    }
}

/// A helper on a platform and a clock of the test.
struct HelperStage {
    let platform = FakePlatform()
    let time = ManualTime()
    let log = LogBook()
    /// Tells the process to end.
    let end = AsyncStream.makeStream(of: Void.self)

    func means() -> Means {
        let (stream, log) = (end.stream, log)
        return Means(
            time: time, random: SeededRandom(seed: 7), transport: platform.transport, write: { log.append($0) },
            untilToldToEnd: { for await _ in stream { return } })
    }

    func helper(_ more: [String: String] = [:]) async throws -> ConnectorHelper {
        try await ConnectorHelper(configuration: try ConnectorConfigurationTests.made(more), means: means())
    }

    /// Waits until something is so. The clock moves only while everybody sleeps, so what happens when does not depend
    /// on how busy the machine is.
    /// - Parameters:
    ///   - step: how far it moves at a time; `.zero`: it stands still.
    ///   - sleepers: how many sleep when nothing else is to be done: of a schedule the pings and the run.
    /// - Returns: false when it is not so after a long real time.
    func until(
        step: Duration = .milliseconds(500), sleepers: Int = 2, _ isSo: @Sendable () -> Bool
    ) async -> Bool {
        for _ in 0..<50_000 {
            if isSo() { return true }
            if step > .zero, time.sleeperCount >= sleepers { time.advance(by: step) }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return isSo()
    }

    /// Waits without letting time pass.
    func atOnce(_ isSo: @Sendable () -> Bool) async -> Bool { await until(step: .zero, isSo) }
}

final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    func append(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
    func contains(_ text: String) -> Bool { all.contains { $0.contains(text) } }
}

/// Counts from several tasks.
final class Count: Sendable {
    private let value = Mutex(0)

    @discardableResult func add() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
    var number: Int { value.withLock { $0 } }
}
