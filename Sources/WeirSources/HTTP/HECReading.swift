internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// The body of a HEC request: envelopes one after the other, or lines.
struct HECReading: HTTPReading {
    enum Events {
        case envelopes(JSONValueStream)
        case lines(HTTPLines)
    }

    private struct Mistake {
        var text: String
        var number: Int
        var code: String
        var event: Int
    }

    private let door: HECDoor
    private let call: HTTPCall
    private var events: Events
    /// With indexer acknowledgement.
    private let channel: String?
    private var gathering: HECGathering
    private var tooLong = 0
    private(set) var items = 0
    private var mistake: Mistake?

    init(_ door: HECDoor, _ call: HTTPCall, _ events: Events, channel: String?) {
        self.door = door
        self.call = call
        self.events = events
        self.channel = channel
        gathering = HECGathering { Self.context(door, call, $0) }
    }

    var isBroken: Bool { mistake != nil }
    var waitsUntilSafe: Bool { channel == nil }

    private static func context(_ door: HECDoor, _ call: HTTPCall, _ origin: HECEnvelope.Origin) -> BatchContext {
        var attributes = ["peer": call.peer]
        attributes["host"] = origin.host ?? call.query["host"]
        attributes["source"] = origin.source ?? call.query["source"]
        attributes["sourcetype"] = origin.sourcetype ?? call.query["sourcetype"]
        attributes["index"] = origin.index ?? call.query["index"]
        return BatchContext(
            kind: .raw, source: door.taking.meter.name, received: door.taking.world.time.wall, attributes: attributes)
    }

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch] {
        switch events {
        case .lines(var lines):
            let batches = lines.cut(&plain, isLast: isLast) { Self.context(door, call, .init()) }
            events = .lines(lines)
            items += batches.reduce(0) { $0 + $1.count }
            return batches
        case .envelopes(var stream):
            plain.withUnsafeReadableBytes { bytes in
                stream.scan(bytes, isLast: isLast) { take(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
            }
            plain.moveReaderIndex(forwardBy: stream.consumed)
            plain.discardReadBytes()
            if stream.tooLong > tooLong {
                door.taking.meter.malformed(stream.tooLong - tooLong, code: "too_long")
                tooLong = stream.tooLong
            }
            if mistake == nil, let found = stream.mistake {
                mistake = Mistake(text: "Invalid data format", number: 6, code: "not_json", event: found.valuesBefore)
            }
            events = .envelopes(stream)
            return gathering.finish()
        }
    }

    private mutating func take(_ value: UnsafeRawBufferPointer) {
        if mistake != nil { return }
        defer { items += 1 }
        switch HECEnvelope.read(value) {
        case .failure(.notAnObject):
            mistake = Mistake(text: "Invalid data format", number: 6, code: "not_json", event: items)
        case .failure(.eventMissing):
            mistake = Mistake(text: "Event field is required", number: 12, code: "event_missing", event: items)
        case .failure(.eventBlank):
            mistake = Mistake(text: "Event field cannot be blank", number: 13, code: "event_blank", event: items)
        case .success(let envelope):
            if envelope.content.readableBytes > door.eventMost {
                door.taking.meter.malformed(1, code: "too_long")
            } else {
                gathering.add(envelope)
            }
        }
    }

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer {
        if let mistake { door.taking.meter.malformed(1, code: mistake.code) }
        if let refusal = outcome.refusal { return door.say(refusal, to: call, accepted: outcome.eventsSafe) }
        if let mistake {
            return HECDoor.answer(
                .badRequest, mistake.text, mistake.number, more: ",\"invalid-event-number\":\(mistake.event)")
        }
        guard outcome.events > 0 else { return HECDoor.answer(.badRequest, "No data", 5) }
        guard let channel else { return HECDoor.answer(.ok, "Success", 0) }
        let number = door.acknowledgements.add(outcome.receipt, channel: channel)
        return HECDoor.answer(.ok, "Success", 0, more: ",\"ackId\":\(number)")
    }
}
