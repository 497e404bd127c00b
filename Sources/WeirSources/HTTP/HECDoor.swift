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

    func answer(_ call: HTTPCall) async -> HTTPAnswer {
        switch endpoint(call.path) {
        case .health: return Self.answer(.ok, "HEC is healthy", 17)
        case .ack: return ack(call)
        case .raw: return await raw(call)
        case .event, nil: return await events(call)
        }
    }

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

    private func ack(_ call: HTTPCall) -> HTTPAnswer {
        guard acknowledges else { return Self.answer(.badRequest, "ACK is disabled", 14) }
        guard let channel = channel(call) else { return Self.answer(.badRequest, "Data channel is missing", 10) }
        guard let numbers = Self.numbers(call.body) else { return Self.answer(.badRequest, "Invalid data format", 6) }
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

    private func give(_ batches: [Batch], _ call: HTTPCall) async -> HTTPAnswer {
        guard acknowledges else {
            if let refusal = await taking.keep(batches) { return refused(refusal, call) }
            return Self.answer(.ok, "Success", 0)
        }
        guard let channel = channel(call) else { return Self.answer(.badRequest, "Data channel is missing", 10) }
        switch await taking.take(batches) {
        case .refused(let refusal): return refused(refusal, call)
        case .taken(let receipts):
            let number = acknowledgements.add(receipts, channel: channel)
            return Self.answer(.ok, "Success", 0, more: ",\"ackId\":\(number)")
        }
    }

    private func refused(_ refusal: HTTPRefusal, _ call: HTTPCall) -> HTTPAnswer {
        taking.meter.refused(refusal.code)
        return say(refusal, to: call)
    }

    // MARK: Reading

    private func context(_ call: HTTPCall, _ envelope: HECEnvelope.Origin) -> BatchContext {
        var attributes = ["peer": call.peer]
        attributes["host"] = envelope.host ?? call.query["host"]
        attributes["source"] = envelope.source ?? call.query["source"]
        attributes["sourcetype"] = envelope.sourcetype ?? call.query["sourcetype"]
        attributes["index"] = envelope.index ?? call.query["index"]
        return BatchContext(
            kind: .raw, source: taking.meter.name, received: taking.world.time.wall, attributes: attributes)
    }

    private func raw(_ call: HTTPCall) async -> HTTPAnswer {
        let batches = HTTPEventsDoor.lines(call.body, .auto, eventMost, taking.meter, context(call, .init()))
        if batches.isEmpty { return Self.answer(.badRequest, "No data", 5) }
        return await give(batches, call)
    }

    private func events(_ call: HTTPCall) async -> HTTPAnswer {
        if acknowledges && channel(call) == nil { return Self.answer(.badRequest, "Data channel is missing", 10) }
        let (batches, mistake) = read(call)
        guard let mistake else {
            if batches.isEmpty { return Self.answer(.badRequest, "No data", 5) }
            return await give(batches, call)
        }
        taking.meter.malformed(1, code: mistake.code)
        if !batches.isEmpty {
            let answer = await give(batches, call)
            if answer.status != .ok { return answer }
        }
        return Self.answer(
            .badRequest, mistake.text, mistake.number, more: ",\"invalid-event-number\":\(mistake.event)")
    }

    private struct Mistake {
        var text: String
        var number: Int
        var code: String
        var event: Int
    }

    private func read(_ call: HTTPCall) -> ([Batch], Mistake?) {
        call.body.withUnsafeReadableBytes { bytes in
            let values = JSONSplitter.values(in: bytes)
            var gathering = HECGathering { context(call, $0) }
            for (number, range) in values.ranges.enumerated() {
                switch HECEnvelope.read(UnsafeRawBufferPointer(rebasing: bytes[range])) {
                case .failure(.notAnObject):
                    return (
                        gathering.finish(),
                        Mistake(text: "Invalid data format", number: 6, code: "not_json", event: number)
                    )
                case .failure(.eventMissing):
                    return (
                        gathering.finish(),
                        Mistake(text: "Event field is required", number: 12, code: "event_missing", event: number)
                    )
                case .failure(.eventBlank):
                    return (
                        gathering.finish(),
                        Mistake(text: "Event field cannot be blank", number: 13, code: "event_blank", event: number)
                    )
                case .success(let envelope):
                    if envelope.content.readableBytes > eventMost {
                        taking.meter.malformed(1, code: "too_long")
                    } else {
                        gathering.add(envelope)
                    }
                }
            }
            let mistake = values.mistake.map {
                Mistake(text: "Invalid data format", number: 6, code: "not_json", event: $0.valuesBefore)
            }
            return (gathering.finish(), mistake)
        }
    }

    // MARK: Refusing

    func say(_ refusal: HTTPRefusal, to call: HTTPCall) -> HTTPAnswer {
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
