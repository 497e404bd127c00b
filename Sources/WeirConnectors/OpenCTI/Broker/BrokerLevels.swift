internal import Foundation
internal import NIOHTTP1

/// Reads from RabbitMQ's management API how much waits in its queues.
///
/// Its figures are up to five seconds old (`collect_statistics_interval`), and a new queue has none at first.
struct BrokerLevels: Sendable {
    let management: BrokerManagement

    private struct Row: Decodable {
        var name: String
        var messages: Int?
        var messageBytes: Int64?

        enum CodingKeys: String, CodingKey {
            case name, messages
            case messageBytes = "message_bytes"
        }
    }

    /// Of all queues in the vhost, by name; `nil` for one that has no figures yet.
    func all() async throws(BrokerTrouble) -> [String: WorkQueueLevel?] {
        let vhost = BrokerManagement.segment(management.vhost)
        let data = try await get("queues/\(vhost)?columns=name,messages,message_bytes")
        guard let rows = try? JSONDecoder().decode([Row].self, from: data) else {
            throw trouble("it answered something else than a list of queues")
        }
        return Dictionary(
            rows.map { row in
                let level = row.messages.flatMap { messages in
                    row.messageBytes.map { WorkQueueLevel(messages: messages, bytes: $0) }
                }
                return (row.name, level)
            }, uniquingKeysWith: { first, _ in first })
    }

    private func get(_ path: String) async throws(BrokerTrouble) -> Data {
        let answer: (status: HTTPResponseStatus, body: Data)
        do throws(BrokerManagement.Silence) {
            answer = try await management.call(.GET, path)
        } catch {
            throw trouble(error.what)
        }
        switch answer.status {
        case .ok: return answer.body
        case .unauthorized, .forbidden:
            throw BrokerTrouble(
                .unmeasured,
                "RabbitMQ's management API at \(management.address) refuses the user `\(management.user)`: it needs "
                    + "the tag `management`. So the size of the queue is unknown and counts as full.")
        case .notFound:
            throw trouble("it knows neither vhost `\(management.vhost)` nor the request: is it the management plugin?")
        default: throw trouble("it answered \(answer.status.code)")
        }
    }

    private func trouble(_ what: String) -> BrokerTrouble {
        BrokerTrouble(
            .unmeasured,
            "RabbitMQ's management API at \(management.address) cannot be read (\(what)), so the size of the queue is "
                + "unknown and counts as full.")
    }
}

extension WorkQueueLevel {
    /// What waits in a queue of RabbitMQ, put together from what is known.
    /// - Parameters:
    ///   - told: the management API's figures; they lag behind. `nil`: there are none yet.
    ///   - ready: bundles that wait there now, counted by the queue itself.
    ///   - taken: what Weir has taken and not acknowledged; it knows that exactly.
    ///   - isOurs: nobody else consumes, so there is nothing more than `ready` and `taken`.
    /// - Returns: `nil` when the bytes cannot be known.
    static func inRabbitMQ(
        told: WorkQueueLevel?, ready: Int, taken: WorkQueueLevel, isOurs: Bool
    ) -> WorkQueueLevel? {
        if ready == 0, isOurs { return taken }
        guard let told else { return nil }
        let count = ready + taken.messages
        guard count > told.messages else { return told }
        // More came since: as large as the ones that are known, never less than was told.
        let known = told.messages > 0 ? told : taken
        guard known.messages > 0 else { return nil }
        let bytes = Double(known.bytes) / Double(known.messages) * Double(count)
        return WorkQueueLevel(messages: count, bytes: max(told.bytes, Int64(min(bytes, 9e18))))
    }
}
