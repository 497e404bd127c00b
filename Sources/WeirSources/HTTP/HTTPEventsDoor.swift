internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// `POST /`: NDJSON, a JSON array, or lines of text. Answers 200 with `{"accepted":n}` when all of them are safe.
struct HTTPEventsDoor: HTTPDoor {
    let taking: HTTPTaking
    let format: HTTPSource.Format
    let tokens: HTTPTokens
    let eventMost: Int
    let busyStatus: HTTPResponseStatus

    func opens(_ path: String) -> Bool { path == "/" || path.isEmpty }

    func refusal(for call: HTTPCall) -> HTTPRefusal? {
        guard call.method == .POST || call.method == .PUT else { return .methodNotAllowed(allow: "POST, PUT") }
        return tokens.check(call.headers, schemes: ["bearer"]).map { .unauthorized($0) }
    }

    func answer(_ call: HTTPCall) async -> HTTPAnswer {
        let batches: [Batch]
        switch read(call) {
        case .success(let found): batches = found
        case .failure(let mistake):
            taking.meter.refused("invalid_json")
            return HTTPAnswer(
                .badRequest,
                json: Self.problem(
                    "invalid_json", "The body is not JSON from byte \(mistake.offset) on; nothing of it was taken."))
        }
        if let refusal = await taking.keep(batches) {
            taking.meter.refused(refusal.code)
            return say(refusal, to: call)
        }
        return HTTPAnswer(.ok, json: "{\"accepted\":\(batches.reduce(0) { $0 + $1.count })}")
    }

    // MARK: Reading

    private enum Shape {
        case lines(LineCutter.Format)
        case values
    }

    private func shape(_ call: HTTPCall) -> Shape {
        switch format {
        case .lines: return .lines(.lines)
        case .ndjson: return .lines(.ndjson)
        case .jsonArray: return .values
        case .auto: break
        }
        switch call.mediaType {
        case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
            return .lines(.ndjson)
        case "application/json": return .values
        case "text/plain": return .lines(.lines)
        default: return .lines(.auto)
        }
    }

    private func read(_ call: HTTPCall) -> Result<[Batch], JSONSplitter.Mistake> {
        let context = BatchContext(
            kind: .raw, source: taking.meter.name, received: taking.world.time.wall, attributes: ["peer": call.peer])
        switch shape(call) {
        case .lines(let format): return .success(Self.lines(call.body, format, eventMost, taking.meter, context))
        case .values: return values(call.body, context)
        }
    }

    static func lines(
        _ body: ByteBuffer, _ format: LineCutter.Format, _ eventMost: Int, _ meter: SourceMeter, _ context: BatchContext
    ) -> [Batch] {
        var cutter = LineCutter(format: format, limit: eventMost, meter: meter)
        var body = body
        guard body.readableBytes > 0 else { return [] }
        if body.getInteger(at: body.writerIndex - 1, as: UInt8.self) != 0x0A { body.writeInteger(0x0A as UInt8) }
        return cutter.batches(of: body, context: context)
    }

    private func values(_ body: ByteBuffer, _ context: BatchContext) -> Result<[Batch], JSONSplitter.Mistake> {
        body.withUnsafeReadableBytes { bytes in
            let values = JSONSplitter.values(in: bytes)
            if let mistake = values.mistake { return .failure(mistake) }
            var objects = BatchBuilder(context: context)
            objects.context.kind = .json
            var others = BatchBuilder(context: context)
            for range in values.ranges {
                let value = UnsafeRawBufferPointer(rebasing: bytes[range])
                guard value.count <= eventMost else {
                    taking.meter.malformed(1, code: "too_long")
                    continue
                }
                let line = Self.oneLine(value)
                if value.first == 0x7B {
                    objects.append(line)
                } else {
                    // A text in an array is that text; numbers and the like go on as they are written.
                    taking.meter.malformed(1, code: "not_json")
                    others.append(JSONSplitter.text(of: value) ?? line)
                }
            }
            return .success(
                [objects, others].compactMap { builder in
                    var builder = builder
                    return builder.count == 0 ? nil : builder.finish()
                })
        }
    }

    static func oneLine(_ value: UnsafeRawBufferPointer) -> ByteBuffer {
        var line = ByteBuffer()
        line.reserveCapacity(value.count)
        JSONSplitter.writeOnOneLine(value, to: &line)
        return line
    }

    // MARK: Refusing

    func say(_ refusal: HTTPRefusal, to call: HTTPCall) -> HTTPAnswer {
        switch refusal {
        case .unauthorized(let credentials):
            HTTPAnswer(
                .unauthorized,
                json: Self.problem(
                    "unauthorized", credentials == .wrong ? "The token is not known." : "A bearer token is needed."),
                headers: [("WWW-Authenticate", "Bearer")])
        case .methodNotAllowed(let allow):
            HTTPAnswer(
                .methodNotAllowed, json: Self.problem("method_not_allowed", "Events are sent with POST."),
                headers: [("Allow", allow)])
        case .tooLarge(let limit):
            HTTPAnswer(
                .payloadTooLarge, json: Self.problem("body_too_large", "A body may have \(limit) bytes, unpacked."))
        case .unsupportedCoding(let name):
            HTTPAnswer(
                .unsupportedMediaType,
                json: Self.problem(
                    "unsupported_encoding", "The content encoding \(name.prefix(32)) is not known here."),
                headers: [("Accept-Encoding", "gzip, deflate, zstd")])
        case .badBody(let what): HTTPAnswer(.badRequest, json: Self.problem("bad_body", what))
        case .busy(let retryAfter):
            HTTPAnswer(
                busyStatus, json: Self.problem("busy", "There is no room for these events now; send them again later."),
                headers: [Self.retryAfter(retryAfter)])
        case .notKept(let why):
            HTTPAnswer(.serviceUnavailable, json: Self.problem("not_kept", why), headers: [Self.retryAfter(nil)])
        case .stopping:
            HTTPAnswer(
                .serviceUnavailable, json: Self.problem("stopping", "Weir stops."), headers: [Self.retryAfter(nil)])
        }
    }

    /// Whole seconds, 1 to 180; 5 where nobody knows.
    static func retryAfter(_ duration: Duration?) -> (String, String) {
        let seconds = duration.map { $0.inSeconds.rounded(.up) } ?? 5
        return ("Retry-After", String(Int(min(max(seconds, 1), 180))))
    }

    /// The one shape of errors of the API.
    static func problem(_ code: String, _ message: String) -> ByteBuffer {
        var json = ByteBuffer(string: "{\"code\":\"\(code)\",\"message\":")
        JSONText.write(message, to: &json)
        json.writeString("}")
        return json
    }
}
