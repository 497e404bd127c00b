internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// `POST /`: NDJSON, a JSON array, or lines of text. Answers 200 with `{"accepted":n}` when all of them are safe.
///
/// What comes before a mistake in the body is kept, as HEC does it, and so is what was taken before there was no more
/// room; a refusal then says with `accepted` how many events of the body are safe all the same.
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

    func reading(_ call: HTTPCall) -> any HTTPReading { HTTPEventsReading(self, call) }

    enum Shape {
        case lines(LineFormat)
        case values
    }

    func shape(_ call: HTTPCall) -> Shape {
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

    static func oneLine(_ value: UnsafeRawBufferPointer) -> ByteBuffer {
        var line = ByteBuffer()
        line.reserveCapacity(value.count)
        JSONSplitter.writeOnOneLine(value, to: &line)
        return line
    }

    // MARK: Refusing

    func say(_ refusal: HTTPRefusal, to call: HTTPCall, accepted: Int?) -> HTTPAnswer {
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
                .payloadTooLarge,
                json: Self.problem("body_too_large", "A body may have \(limit) bytes, unpacked.", accepted))
        case .unsupportedCoding(let name):
            HTTPAnswer(
                .unsupportedMediaType,
                json: Self.problem(
                    "unsupported_encoding", "The content encoding \(name.prefix(32)) is not known here."),
                headers: [("Accept-Encoding", "gzip, deflate, zstd")])
        case .badBody(let what): HTTPAnswer(.badRequest, json: Self.problem("bad_body", what, accepted))
        case .busy(let retryAfter):
            HTTPAnswer(
                busyStatus,
                json: Self.problem("busy", "There is no room for these events now; send them again later.", accepted),
                headers: [Self.retryAfter(retryAfter)])
        case .notKept(let why):
            HTTPAnswer(
                .serviceUnavailable, json: Self.problem("not_kept", why, accepted), headers: [Self.retryAfter(nil)])
        case .stopping:
            HTTPAnswer(
                .serviceUnavailable, json: Self.problem("stopping", "Weir stops.", accepted),
                headers: [Self.retryAfter(nil)])
        }
    }

    /// Whole seconds, 1 to 180; 5 where nobody knows.
    static func retryAfter(_ duration: Duration?) -> (String, String) {
        let seconds = duration.map { $0.inSeconds.rounded(.up) } ?? 5
        return ("Retry-After", String(Int(min(max(seconds, 1), 180))))
    }

    /// The one shape of errors of the API.
    static func problem(_ code: String, _ message: String, _ accepted: Int? = nil) -> ByteBuffer {
        var json = ByteBuffer(string: "{\"code\":\"\(code)\",\"message\":")
        JSONText.write(message, to: &json)
        if let accepted { json.writeString(",\"accepted\":\(accepted)") }
        json.writeString("}")
        return json
    }
}
