internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// The body of `POST /`: lines, or JSON values in an array or one after the other.
struct HTTPEventsReading: HTTPReading {
    private enum Shape {
        case lines(HTTPLines)
        case values(JSONValueStream)
    }

    private let door: HTTPEventsDoor
    private let call: HTTPCall
    private var shape: Shape
    private var tooLong = 0
    private(set) var items = 0
    private(set) var isBroken = false
    private var mistake: JSONSplitter.Mistake?

    init(_ door: HTTPEventsDoor, _ call: HTTPCall) {
        self.door = door
        self.call = call
        shape =
            switch door.shape(call) {
            case .lines(let format): .lines(HTTPLines(format, eventMost: door.eventMost, meter: door.taking.meter))
            case .values: .values(JSONValueStream(valueMost: door.eventMost))
            }
    }

    private var context: BatchContext {
        BatchContext(
            kind: .raw, source: door.taking.meter.name, received: door.taking.world.time.wall,
            attributes: ["peer": call.peer])
    }

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch] {
        let batches: [Batch]
        switch shape {
        case .lines(var lines):
            batches = lines.cut(&plain, isLast: isLast) { context }
            shape = .lines(lines)
        case .values(var stream):
            batches = values(&plain, isLast, &stream)
            shape = .values(stream)
        }
        items += batches.reduce(0) { $0 + $1.count }
        return batches
    }

    private mutating func values(_ plain: inout ByteBuffer, _ isLast: Bool, _ stream: inout JSONValueStream) -> [Batch]
    {
        let meter = door.taking.meter
        var objects = BatchBuilder(context: context)
        objects.context.kind = .json
        var others = BatchBuilder(context: context)
        plain.withUnsafeReadableBytes { bytes in
            stream.scan(bytes, isLast: isLast) { range in
                let value = UnsafeRawBufferPointer(rebasing: bytes[range])
                guard value.count <= door.eventMost else { return meter.malformed(1, code: "too_long") }
                if value.first == 0x7B {
                    objects.append(HTTPEventsDoor.oneLine(value))
                } else {
                    // A text in an array is that text; numbers and the like go on as they are written.
                    meter.malformed(1, code: "not_json")
                    others.append(JSONSplitter.text(of: value) ?? HTTPEventsDoor.oneLine(value))
                }
            }
        }
        plain.moveReaderIndex(forwardBy: stream.consumed)
        plain.discardReadBytes()
        if stream.tooLong > tooLong {
            meter.malformed(stream.tooLong - tooLong, code: "too_long")
            tooLong = stream.tooLong
        }
        mistake = stream.mistake
        isBroken = mistake != nil
        return [objects, others].compactMap { builder in
            var builder = builder
            return builder.count == 0 ? nil : builder.finish()
        }
    }

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer {
        if let refusal = outcome.refusal { return door.say(refusal, to: call, accepted: outcome.eventsSafe) }
        guard let mistake else { return HTTPAnswer(.ok, json: "{\"accepted\":\(outcome.events)}") }
        door.taking.meter.refused("invalid_json")
        return HTTPAnswer(
            .badRequest,
            json: HTTPEventsDoor.problem(
                "invalid_json", "The body is not JSON from byte \(mistake.offset) on; what stands before it was taken.",
                outcome.events))
    }
}
