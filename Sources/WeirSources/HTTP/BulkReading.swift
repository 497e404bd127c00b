internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// The body of a bulk request on its way, and its answer: an item for each action, in order.
///
/// When the routes take a part only, the items of that part are `created` and the others are answered with 429 each, so
/// that clients send just those again. When nothing was taken, or not all of the body was read, the request is refused
/// as a whole.
struct BulkReading: HTTPReading {
    private let door: BulkDoor
    private let call: HTTPCall
    private var body: BulkBody
    private var mistake: BulkBody.Mistake?
    private var gathering: HECGathering

    init(_ door: BulkDoor, _ call: HTTPCall, index: String?) {
        self.door = door
        self.call = call
        body = BulkBody(index: index, eventMost: door.eventMost)
        gathering = HECGathering { origin in
            BatchContext(
                kind: .json, source: door.taking.meter.name, received: door.taking.world.time.wall,
                attributes: ["peer": call.peer, "index": origin.index ?? ""])
        }
    }

    var items: Int { body.items.count }
    var heldBytes: Int { body.heldBytes }
    var isBroken: Bool { mistake != nil }
    var needsRest: Bool { true }

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch] {
        var gathering = gathering
        let slab = plain
        plain.withUnsafeReadableBytes { bytes in
            do throws(BulkBody.Mistake) {
                try body.read(bytes, isLast: isLast) { range, index in
                    var envelope = HECEnvelope()
                    envelope.kind = .json
                    envelope.origin.index = index
                    envelope.content =
                        slab.getSlice(at: slab.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
                    gathering.add(envelope)
                }
            } catch {
                mistake = error
            }
        }
        plain.moveReaderIndex(forwardBy: body.consumed)
        plain = plain.copied()
        return gathering.finish()
    }

    // MARK: The answer

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer {
        let meter = door.taking.meter
        if let mistake, outcome.refusal == nil {
            meter.refused("bad_body")
            return door.failure(.badRequest, "illegal_argument_exception", mistake.reason, call)
        }
        if let refusal = outcome.refusal, !outcome.isComplete || outcome.eventsSafe == 0 {
            return door.say(refusal, to: call, accepted: outcome.eventsSafe)
        }
        if body.items.isEmpty {
            return door.failure(.badRequest, "parse_exception", "request body is required", call)
        }
        let bad = body.items.count { $0.problem != nil }
        if bad > 0 { meter.malformed(bad, code: "bulk_item") }
        return door.answer(.ok, result(outcome, hasErrors: bad > 0 || outcome.refusal != nil), call)
    }

    private func result(_ outcome: HTTPOutcome, hasErrors: Bool) -> ByteBuffer {
        var json = ByteBuffer()
        json.reserveCapacity(body.items.count * 160 + 64)
        json.writeString("{\"took\":\(outcome.took.nanoseconds / 1_000_000),\"errors\":\(hasErrors),\"items\":[")
        // Identifiers that the sender left to us: one draw for the request, and the place in it.
        let seed = String(door.taking.world.random.next(), radix: 36)
        var steps = outcome.steps[...]
        for (place, item) in body.items.enumerated() {
            while let step = steps.first, step.itemsEnd <= place { steps = steps.dropFirst() }
            if place > 0 { json.writeStaticString(",") }
            json.writeString("{\"\(item.action.rawValue)\":{\"_index\":")
            JSONText.write(body.index(of: item), to: &json)
            json.writeStaticString(",\"_id\":")
            let isSafe = outcome.refusal == nil || steps.first?.isSafe == true
            if let id = body.id(of: item) {
                JSONText.write(id, to: &json)
            } else if item.problem == nil && isSafe {
                json.writeString("\"\(seed)-\(place)\"")
            } else {
                json.writeStaticString("null")
            }
            if let problem = item.problem {
                json.writeString(",\"status\":400,\"error\":{\"type\":\"\(problem.type)\",\"reason\":")
                JSONText.write(problem.reason(item), to: &json)
                json.writeStaticString("}}}")
            } else if isSafe {
                json.writeString(
                    ",\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},"
                        + "\"_seq_no\":\(place),\"_primary_term\":1,\"status\":201}}")
            } else {
                json.writeString(
                    ",\"status\":429,\"error\":{\"type\":\"es_rejected_execution_exception\",\"reason\":"
                        + "\"this document was not kept; send it again\"}}}")
            }
        }
        json.writeStaticString("]}")
        return json
    }
}
