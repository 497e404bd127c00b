internal import NIOCore
internal import NIOHTTP1
internal import WeirWires

/// A request as its head says it.
struct HTTPCall: Sendable {
    var method: HTTPMethod
    /// Without the query.
    var path: String
    var query: [String: String]
    var headers: HTTPHeaders
    var peer: String
    /// How the body is packed; `nil` for plain.
    var coding: ContentCoding?
    /// False when the body is packed in a way that nobody here knows.
    var isCodingKnown: Bool

    init(head: HTTPRequestHead, peer: String) {
        method = head.method
        headers = head.headers
        self.peer = peer
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts.first ?? "/")
        query = parts.count > 1 ? HTTPCall.query(parts[1]) : [:]
        let codings = headers[canonicalForm: "content-encoding"].map { $0.lowercased() }.filter {
            $0 != "identity" && !$0.isEmpty
        }
        coding = codings.first.flatMap { ContentCoding(rawValue: $0 == "x-gzip" ? "gzip" : String($0)) }
        isCodingKnown = codings.isEmpty || (codings.count == 1 && coding != nil)
    }

    private static func query(_ text: Substring) -> [String: String] {
        var query: [String: String] = [:]
        for pair in text.split(separator: "&").prefix(64) {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[plain(sides[0])] = sides.count > 1 ? plain(sides[1]) : ""
        }
        return query
    }

    /// Percent signs and plus signs taken out.
    static func plain(_ text: Substring) -> String {
        guard text.utf8.contains(0x25) || text.utf8.contains(0x2B) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == 0x25, digits.count == 2, let value = UInt8(String(Substring(digits)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == 0x2B ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `application/json` of `application/json; charset=utf-8`, in lower case.
    var mediaType: String {
        let type = headers.first(name: "content-type") ?? ""
        let bare = type.split(separator: ";", maxSplits: 1).first ?? ""
        return bare.filter { $0 != " " }.lowercased()
    }
}

/// What is answered.
struct HTTPAnswer: Sendable {
    var status: HTTPResponseStatus
    var headers: [(String, String)]
    var body: ByteBuffer
    /// An answer to HEAD: the length is said, the body is not sent.
    var isHeadOnly = false

    init(_ status: HTTPResponseStatus, json: String, headers: [(String, String)] = []) {
        self.init(status, json: ByteBuffer(string: json), headers: headers)
    }

    init(_ status: HTTPResponseStatus, json: ByteBuffer, headers: [(String, String)] = []) {
        self.status = status
        self.headers = [("Content-Type", "application/json")] + headers
        body = json
    }

    var fields: HTTPHeaders {
        var fields = HTTPHeaders(headers)
        fields.add(name: "Content-Length", value: String(body.readableBytes))
        return fields
    }
}

/// Why a request was not done, apart from how a protocol says it.
enum HTTPRefusal: Sendable {
    enum Credentials: Sendable { case missing, malformed, wrong }
    case unauthorized(Credentials)
    case methodNotAllowed(allow: String)
    case tooLarge(limit: Int)
    case unsupportedCoding(String)
    /// The compressed body is damaged, or the like.
    case badBody(String)
    /// No room until the deadline, or not safe until the deadline.
    case busy(retryAfter: Duration?)
    /// A destination lost the events: send them again.
    case notKept(String)
    case stopping

    /// For the counter of refusals.
    var code: String {
        switch self {
        case .unauthorized: "unauthorized"
        case .methodNotAllowed: "method_not_allowed"
        case .tooLarge: "body_too_large"
        case .unsupportedCoding: "unsupported_encoding"
        case .badBody: "bad_body"
        case .busy: "busy"
        case .notKept: "not_kept"
        case .stopping: "stopping"
        }
    }
}

/// One protocol spoken over HTTP.
protocol HTTPDoor: Sendable {
    /// True where the path is one of its own.
    func opens(_ path: String) -> Bool
    /// Looks at method and credentials before the body is read.
    func refusal(for call: HTTPCall) -> HTTPRefusal?
    func reading(_ call: HTTPCall) -> any HTTPReading
    /// - Parameter accepted: events of the body that are safe all the same; `nil` before the body is read.
    func say(_ refusal: HTTPRefusal, to call: HTTPCall, accepted: Int?) -> HTTPAnswer
}

/// The tokens that open a door.
struct HTTPTokens: Sendable {
    private let tokens: [[UInt8]]

    /// False when no token was set: the door is open to everybody who reaches the port. A token that could not be
    /// resolved does not open it.
    private let isRequired: Bool

    init(_ tokens: [String], isRequired: Bool) {
        self.tokens = tokens.filter { !$0.isEmpty }.map { Array($0.utf8) }
        self.isRequired = isRequired
    }

    /// Compares with all tokens in a time that depends only on the lengths.
    func contains(_ candidate: String) -> Bool {
        let candidate = Array(candidate.utf8)
        var found = false
        for token in tokens {
            var difference: UInt8 = token.count == candidate.count ? 0 : 1
            for index in token.indices {
                difference |= token[index] ^ (candidate.isEmpty ? 0xFF : candidate[index % candidate.count])
            }
            if difference == 0 { found = true }
        }
        return found
    }

    /// The token of `Authorization: SCHEME TOKEN` for one of the schemes, or the password of Basic credentials.
    func check(_ headers: HTTPHeaders, schemes: [String]) -> HTTPRefusal.Credentials? {
        if !isRequired { return nil }
        guard let header = headers.first(name: "authorization") else { return .missing }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return .malformed }
        let scheme = parts[0].lowercased()
        let value = parts[1].drop { $0 == " " }
        if scheme == "basic" {
            guard let plain = Base64.decode(value), let colon = plain.firstIndex(of: 0x3A) else { return .malformed }
            return contains(String(decoding: plain[(colon + 1)...], as: UTF8.self)) ? nil : .wrong
        }
        guard schemes.contains(scheme) else { return .malformed }
        return contains(String(value)) ? nil : .wrong
    }
}

/// RFC 4648 section 4.
enum Base64 {
    static func decode(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8.prefix(8_192) where byte != 0x3D {
            let value: UInt8
            switch byte {
            case 0x41...0x5A: value = byte - 0x41
            case 0x61...0x7A: value = byte - 0x61 + 26
            case 0x30...0x39: value = byte - 0x30 + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
