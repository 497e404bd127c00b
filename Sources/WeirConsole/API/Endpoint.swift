import HTTPTypes
import Hummingbird
import WeirSettings

/// One row of the API's table: what is served, how it is described, and what answers. Router and OpenAPI document are
/// made from the same rows, so neither can have one that the other lacks.
struct Endpoint: Sendable {
    var method: HTTPRequest.Method
    /// With parameters in braces: `/api/v1/gates/{id}`.
    var path: String
    var operation: String
    var summary: String
    var query: [Query] = []
    var answer: Content
    /// Statuses besides 200 that it answers, all with the one shape of an error.
    var problems: [Int] = []
    var respond: @Sendable (Request, BasicRequestContext) async throws -> Response

    struct Query: Sendable {
        enum Kind: Sendable {
            case number(ClosedRange<Int>, standard: Int)
            case text
            case choice([String])
        }

        var name: String
        var meaning: String
        var kind: Kind

        init(name: String, meaning: String, kind: Kind) {
            self.name = name
            self.meaning = meaning
            self.kind = kind
        }

        init(name: String, meaning: String, range: ClosedRange<Int>, standard: Int) {
            self.init(name: name, meaning: meaning, kind: .number(range, standard: standard))
        }
    }

    /// What a success carries.
    enum Content: Sendable {
        case json(Schema)
        /// A JSON document per line.
        case lines(Schema)
        /// Server-sent events, each with a JSON document.
        case events(Schema)
        case text
        case document
    }

    func add(to router: Router<BasicRequestContext>) {
        router.on(RouterPath(path), method: method) { request, context in try await respond(request, context) }
    }

    /// The number in the query, within its range, or the standard one.
    /// - Throws: `APIProblem` that names the parameter.
    static func value(_ query: Query, of request: Request) throws(APIProblem) -> Int {
        guard case .number(let range, let standard) = query.kind else {
            preconditionFailure("\(query.name) is not a number")
        }
        guard let text = try written(query, of: request) else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw refusal(query, text, "Expected a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    /// What stands in the query, as a form or a program writes it; `nil` when it is absent or empty.
    /// - Throws: `APIProblem` that names the parameter, and for a choice the nearest one.
    static func text(_ query: Query, of request: Request) throws(APIProblem) -> String? {
        guard let text = try written(query, of: request), !text.isEmpty else { return nil }
        if case .choice(let words) = query.kind, !words.contains(text) {
            let nearest = Nearest.word(text, among: words).map { " Did you mean \"\($0)\"?" } ?? ""
            throw refusal(query, text, "Expected one of \(words.joined(separator: ", ")).\(nearest)")
        }
        return text
    }

    private static func written(_ query: Query, of request: Request) throws(APIProblem) -> String? {
        let parts = (request.uri.query ?? "").split(separator: "&")
        guard let part = parts.first(where: { $0.hasPrefix(query.name + "=") }) else { return nil }
        let raw = part.dropFirst(query.name.utf8.count + 1).replacing("+", with: " ")
        guard let text = PathSegment.decode(String(raw)) else {
            throw refusal(query, String(raw), "Expected percent-encoded UTF-8.")
        }
        return text
    }

    private static func refusal(_ query: Query, _ text: String, _ detail: String) -> APIProblem {
        APIProblem(
            400, "bad_parameter", "\(query.name) is \"\(Printable.line(text))\".", detail: detail,
            help: "\(query.name): \(query.meaning)")
    }
}

/// Names in paths: every byte outside RFC 3986's unreserved set is percent-encoded, so a name may hold anything.
package enum PathSegment {
    package static func encode(_ name: String) -> String {
        var text = ""
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                text += "%" + (hex.count < 2 ? "0" : "") + hex
            }
        }
        return text
    }

    /// - Returns: `nil` when it is not percent-encoded UTF-8.
    static func decode(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
