internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// Splunk's HTTP Event Collector: `/services/collector[/event|/raw|/health|/ack]`.
///
/// Codes and texts are those of Splunk's "Possible error codes" table (Troubleshoot HTTP Event Collector). As there,
/// what comes before an invalid event in a body is kept. `host`, `source`, `sourcetype` and `index` become attributes
/// of the batch. An event that is an object is given `time` and `fields` of its envelope as members unless it has its
/// own; the text of an event that is a string goes on as it is, without them.
struct HECDoor: HTTPDoor {
    let taking: HTTPTaking
    let tokens: HTTPTokens
    let eventMost: Int
    /// With indexer acknowledgement every request needs a channel and is answered before its events are safe.
    let acknowledges: Bool
    let acknowledgements = HECAcknowledgements()

    private enum Endpoint { case event, raw, health, ack }

    private func endpoint(_ path: String) -> Endpoint? {
        guard path.hasPrefix("/services/collector") else { return nil }
        switch path.dropFirst("/services/collector".count) {
        case "", "/", "/event", "/event/1.0": return .event
        case "/raw", "/raw/1.0": return .raw
        case "/health", "/health/1.0": return .health
        case "/ack", "/ack/1.0": return .ack
        default: return nil
        }
    }

    func opens(_ path: String) -> Bool { endpoint(path) != nil }

    func refusal(for call: HTTPCall) -> HTTPRefusal? {
        let isHealth = endpoint(call.path) == .health
        let methods: [HTTPMethod] = isHealth ? [.GET, .HEAD] : [.POST]
        guard methods.contains(call.method) else {
            return .methodNotAllowed(allow: isHealth ? "GET, HEAD" : "POST")
        }
        if isHealth { return nil }
        return tokens.check(call.headers, schemes: ["splunk"]).map { .unauthorized($0) }
    }

    func reading(_ call: HTTPCall) -> any HTTPReading {
        switch endpoint(call.path) {
        case .health: return HTTPFixedReading(said: Self.answer(.ok, "HEC is healthy", 17))
        case .ack: return HTTPWholeReading(most: 1 << 20) { ack(call, $0) }
        case .raw, .event, nil: break
        }
        let channel = channel(call)
        if acknowledges && channel == nil {
            return HTTPFixedReading(said: Self.answer(.badRequest, "Data channel is missing", 10))
        }
        let events: HECReading.Events =
            endpoint(call.path) == .raw
            ? .lines(HTTPLines(.auto, eventMost: eventMost, meter: taking.meter))
            : .envelopes(JSONValueStream(valueMost: eventMost + Self.envelopeMost))
        return HECReading(self, call, events, channel: acknowledges ? channel : nil)
    }

    /// What an envelope may have round its event.
    private static let envelopeMost = 64 * 1_024

    static func answer(
        _ status: HTTPResponseStatus, _ text: String, _ code: Int, more: String = "", headers: [(String, String)] = []
    ) -> HTTPAnswer {
        HTTPAnswer(status, json: "{\"text\":\"\(text)\",\"code\":\(code)\(more)}", headers: headers)
    }

    private func channel(_ call: HTTPCall) -> String? {
        let name = call.headers.first(name: "x-splunk-request-channel") ?? call.query["channel"]
        return name.flatMap { $0.isEmpty ? nil : String($0.prefix(128)) }
    }

    // MARK: Acknowledgements

    private func ack(_ call: HTTPCall, _ body: ByteBuffer?) -> HTTPAnswer {
        guard acknowledges else { return Self.answer(.badRequest, "ACK is disabled", 14) }
        guard let channel = channel(call) else { return Self.answer(.badRequest, "Data channel is missing", 10) }
        guard let numbers = body.flatMap(Self.numbers) else {
            return Self.answer(.badRequest, "Invalid data format", 6)
        }
        let status = acknowledgements.status(numbers, channel: channel)
        let list = status.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
        return HTTPAnswer(.ok, json: "{\"acks\":{\(list)}}")
    }

    /// `{"acks":[1,3,4]}`
    private static func numbers(_ body: ByteBuffer) -> [UInt64]? {
        body.withUnsafeReadableBytes { bytes in
            guard let members = JSONSplitter.members(of: bytes),
                let list = members.first(where: { bytes[$0.key].elementsEqual("acks".utf8) })?.value,
                bytes[list.lowerBound] == 0x5B
            else { return nil }
            let values = JSONSplitter.values(in: UnsafeRawBufferPointer(rebasing: bytes[list]))
            guard values.mistake == nil, values.ranges.count <= 10_000 else { return nil }
            var numbers: [UInt64] = []
            for range in values.ranges {
                let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[list])[range], as: UTF8.self)
                guard let number = UInt64(text) else { return nil }
                numbers.append(number)
            }
            return numbers
        }
    }

    // MARK: Refusing

    func say(_ refusal: HTTPRefusal, to call: HTTPCall, accepted: Int?) -> HTTPAnswer {
        switch refusal {
        case .unauthorized(.missing): Self.answer(.unauthorized, "Token is required", 2)
        case .unauthorized(.malformed): Self.answer(.unauthorized, "Invalid authorization", 3)
        case .unauthorized(.wrong): Self.answer(.forbidden, "Invalid token", 4)
        case .methodNotAllowed(let allow):
            HTTPAnswer(
                .methodNotAllowed, json: "{\"text\":\"The requested URL was not found on this server.\",\"code\":404}",
                headers: [("Allow", allow)])
        case .tooLarge: Self.answer(.payloadTooLarge, "Content-Length is larger than allowed", 27)
        case .unsupportedCoding, .badBody: Self.answer(.badRequest, "Invalid data format", 6)
        case .busy(let retryAfter):
            Self.answer(.serviceUnavailable, "Server is busy", 9, headers: [HTTPEventsDoor.retryAfter(retryAfter)])
        case .notKept:
            Self.answer(.internalServerError, "Internal server error", 8, headers: [HTTPEventsDoor.retryAfter(nil)])
        case .stopping:
            Self.answer(.serviceUnavailable, "Server is shutting down", 23, headers: [HTTPEventsDoor.retryAfter(nil)])
        }
    }
}
