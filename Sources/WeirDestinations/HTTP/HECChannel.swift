import NIOCore
import Synchronization
import WeirFlow
import WeirGates
import WeirWorld

/// A channel to one collector with indexer acknowledgement: its name, and who waits for what on it.
///
/// Source: Splunk, "About HTTP Event Collector Indexer Acknowledgment": requests carry `X-Splunk-Request-Channel` and
/// are answered with an `ackId`; `POST /services/collector/ack?channel=…` with `{"acks":[…]}` tells which are indexed,
/// each `true` once.
final class HECChannel: Sendable {
    static let header = "X-Splunk-Request-Channel"

    private let endpoint: HTTPEndpoint
    private let world: World
    private let book: Mutex<HECAckBook>

    /// - Parameter endpoint: where questions go.
    init(endpoint: HTTPEndpoint, world: World, patience: Duration) {
        self.endpoint = endpoint
        self.world = world
        book = Mutex(HECAckBook(patience: patience))
    }

    /// A name as Splunk wants it: a random GUID (RFC 9562, version 4).
    static func name(_ random: any RandomSource) -> String {
        let (high, low) = (random.next() & ~0xF000 | 0x4000, random.next() & ~(3 << 62) | 2 << 62)
        func hex(_ value: UInt64, _ shift: UInt64, _ digits: Int) -> String {
            let text = String(value >> shift & (1 << UInt64(digits * 4) - 1), radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return [hex(high, 32, 8), hex(high, 16, 4), hex(high, 0, 4), hex(low, 48, 4), hex(low, 0, 12)].joined(
            separator: "-")
    }

    /// Where questions go for a URL that takes events.
    static func place(for address: HTTPAddress, channel: String) -> HTTPAddress {
        var path = String(address.target.prefix { $0 != "?" })
        for end in ["/event/1.0", "/raw/1.0", "/event", "/raw"] where path.hasSuffix(end) {
            path.removeLast(end.count)
            break
        }
        while path.hasSuffix("/") { path.removeLast() }
        return address.with(target: path + "/ack?channel=" + channel)
    }

    /// Returns when the indexers have it.
    /// - Throws: `timedOut` when they did not say so in time, `misconfigured` when the channel is refused.
    func wait(for number: UInt64) async throws(DeliveryFailure) {
        book.withLock { $0.add(number, at: world.time.now) }
        defer { book.withLock { $0.forget(number) } }
        while true {
            switch book.withLock({ $0.step(number, at: world.time.now) }) {
            case .acknowledged: return
            case .expired:
                throw .timedOut(
                    Reason(
                        "ack_timeout",
                        "\(endpoint.peer) took the events but did not acknowledge them in time; sent again, they may "
                            + "be there twice."))
            case .wait(let moment):
                do { try await world.time.sleep(until: moment) } catch { throw .cancelled }
            case .ask(let numbers): try await ask(numbers)
            }
        }
    }

    private func ask(_ numbers: [UInt64]) async throws(DeliveryFailure) {
        let body = ByteBuffer(string: "{\"acks\":[\(numbers.map(String.init).joined(separator: ","))]}")
        do throws(DeliveryFailure) {
            let answer = try await endpoint.deliver(body)
            let said = AnswerJSON(answer.body)?.object("acks")
            let safe = numbers.filter { said?.bool(String($0)) == true }
            book.withLock { $0.answered(safe, at: world.time.now) }
        } catch {
            book.withLock { $0.failed(at: world.time.now) }
            switch error {
            // Asking again will not help: a wrong token, no acknowledgement on it, a channel that is refused.
            case .misconfigured, .cancelled: throw error
            case .rejected(let reason): throw .misconfigured(Reason("hec_ack", reason.sentence))
            case .unreachable, .busy, .timedOut: return
            }
        }
    }
}
