import Hummingbird

/// What a form of the console sends: `application/x-www-form-urlencoded`.
struct FormFields: Sendable {
    static let bytesMost = 16 * 1_024

    private let fields: [String: String]

    subscript(name: String) -> String { fields[name] ?? "" }
    func has(_ name: String) -> Bool { fields[name] != nil }

    init(_ text: String) {
        var fields: [String: String] = [:]
        for part in text.split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decode = { (text: Substring) in PathSegment.decode(String(text).replacing("+", with: " ")) }
            guard let name = decode(sides[0]), let value = sides.count == 2 ? decode(sides[1]) : "" else { continue }
            fields[name] = value
        }
        self.fields = fields
    }

    /// - Throws: `APIProblem` when it is too long.
    static func read(_ request: Request) async throws -> FormFields {
        do {
            let body = try await request.body.collect(upTo: bytesMost)
            return FormFields(String(decoding: body.readableBytesView, as: UTF8.self))
        } catch {
            throw APIProblem(413, "too_long", "The form is longer than \(bytesMost) bytes.")
        }
    }
}
