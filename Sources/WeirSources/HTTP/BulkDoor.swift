internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// Elasticsearch's bulk API, as far as shippers need it: `/_bulk`, `/{index}/_bulk`, and `GET /`, by which clients know
/// whom they talk to (they go on only with `X-Elastic-Product: Elasticsearch`).
///
/// Each document is an event of kind JSON; the index becomes the attribute `index`. The answer is given when all
/// documents are safe, an item for each action, in order.
struct BulkDoor: HTTPDoor {
    let taking: HTTPTaking
    let tokens: HTTPTokens
    let eventMost: Int
    let busyStatus: HTTPResponseStatus

    /// What clients are told. Version 8 is spoken by clients 7.17, 8 and 9.
    static let version = "8.17.0"

    func opens(_ path: String) -> Bool { path.isEmpty || path == "/" || target(path) != nil }

    /// The index in the path; `.some(nil)` for `/_bulk`.
    private func target(_ path: String) -> String?? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard parts.last == "_bulk", parts.count <= 2 else { return nil }
        return .some(parts.count == 2 ? HTTPCall.plain(parts[0]) : nil)
    }

    func refusal(for call: HTTPCall) -> HTTPRefusal? {
        let isBulk = target(call.path) != nil
        let methods: [HTTPMethod] = isBulk ? [.POST, .PUT] : [.GET, .HEAD]
        guard methods.contains(call.method) else { return .methodNotAllowed(allow: isBulk ? "POST, PUT" : "GET, HEAD") }
        return tokens.check(call.headers, schemes: ["bearer", "apikey"]).map { .unauthorized($0) }
    }

    func reading(_ call: HTTPCall) -> any HTTPReading {
        guard let index = target(call.path) else { return HTTPFixedReading(said: greeting(call)) }
        return BulkReading(self, call, index: index)
    }

    // MARK: Answers

    private func greeting(_ call: HTTPCall) -> HTTPAnswer {
        var answer = answer(
            .ok,
            ByteBuffer(
                string: """
                    {"name":"weir","cluster_name":"weir","cluster_uuid":"d2VpcndlaXJ3ZWlyd2Vpcg",\
                    \
                    "version":{"number":"\(Self.version)","build_flavor":"default",\
                    "build_type":"deb","build_hash":"weir",\
                    "build_date":"2024-12-11T12:00:00.000000000Z","build_snapshot":false,"lucene_version":"9.12.0",\
                    "minimum_wire_compatibility_version":"7.17.0","minimum_index_compatibility_version":"7.0.0"},\
                    "tagline":"You Know, for Search"}
                    """), call)
        answer.isHeadOnly = call.method == .HEAD
        return answer
    }

    func answer(
        _ status: HTTPResponseStatus, _ json: ByteBuffer, _ call: HTTPCall, headers: [(String, String)] = []
    ) -> HTTPAnswer {
        var answer = HTTPAnswer(status, json: json, headers: [("X-Elastic-Product", "Elasticsearch")] + headers)
        // A client that asks for a compatible answer wants to see that it got one.
        let accepted = call.headers.first(name: "accept") ?? ""
        if accepted.contains("application/vnd.elasticsearch+json"), let version = compatibility(accepted) {
            answer.headers[0].1 = "application/vnd.elasticsearch+json;compatible-with=\(version)"
        }
        return answer
    }

    private func compatibility(_ accepted: String) -> Int? {
        accepted.split(separator: "compatible-with=", maxSplits: 1).dropFirst().first
            .flatMap { Int($0.prefix { $0.isNumber }) }.flatMap { (7...9).contains($0) ? $0 : nil }
    }

    func failure(
        _ status: HTTPResponseStatus, _ type: String, _ reason: String, _ call: HTTPCall,
        headers: [(String, String)] = []
    ) -> HTTPAnswer {
        var why = ByteBuffer()
        JSONText.write(reason, to: &why)
        let text = String(buffer: why)
        let json =
            "{\"error\":{\"root_cause\":[{\"type\":\"\(type)\",\"reason\":\(text)}],"
            + "\"type\":\"\(type)\",\"reason\":\(text)},"
            + "\"status\":\(status.code)}"
        return answer(status, ByteBuffer(string: json), call, headers: headers)
    }

    func say(_ refusal: HTTPRefusal, to call: HTTPCall, accepted: Int?) -> HTTPAnswer {
        switch refusal {
        case .unauthorized:
            failure(
                .unauthorized, "security_exception", "missing or wrong authentication credentials", call,
                headers: [
                    ("WWW-Authenticate", "Basic realm=\"weir\", charset=\"UTF-8\""), ("WWW-Authenticate", "ApiKey"),
                ])
        case .methodNotAllowed(let allow):
            failure(
                .methodNotAllowed, "illegal_argument_exception", "Incorrect HTTP method", call,
                headers: [("Allow", allow)])
        case .tooLarge(let limit):
            failure(.payloadTooLarge, "content_too_long", "a body may have \(limit) bytes, unpacked", call)
        case .unsupportedCoding(let name):
            failure(
                .unsupportedMediaType, "media_type_header_exception", "unknown content encoding \(name.prefix(32))",
                call)
        case .badBody(let what): failure(.badRequest, "parse_exception", what, call)
        case .busy(let retryAfter):
            failure(
                busyStatus, "es_rejected_execution_exception", "there is no room for these documents now", call,
                headers: [HTTPEventsDoor.retryAfter(retryAfter)])
        case .notKept(let why):
            failure(.serviceUnavailable, "unavailable", why, call, headers: [HTTPEventsDoor.retryAfter(nil)])
        case .stopping:
            failure(.serviceUnavailable, "unavailable", "Weir stops", call, headers: [HTTPEventsDoor.retryAfter(nil)])
        }
    }
}
