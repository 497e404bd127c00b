import FoundationEssentials
import Hummingbird

/// What comes with an order for the audit: who gives it, as far as they say, and why.
struct OrderNote: Decodable, Sendable {
    var who: String?
    var why: String?

    /// Who, for the audit.
    var api: String { who.map { "\($0) (api)" } ?? "api" }

    static let bytesMost = 16 * 1_024
    static let whoMost = 80

    /// - Throws: `APIProblem` when there is a body that is no such document.
    static func read(_ request: Request) async throws -> OrderNote {
        let bytes = try await body(request)
        guard !bytes.isEmpty else { return OrderNote() }
        do {
            var note = try JSONText.decode(OrderNote.self, from: Data(bytes))
            note.who = note.who.map { String(Printable.line($0).prefix(whoMost)) }.flatMap { $0.isEmpty ? nil : $0 }
            return note
        } catch {
            throw APIProblem(
                400, "bad_body", "The body is not what was expected.",
                detail: "Expected nothing, or JSON: {\"who\": \"…\", \"why\": \"…\"}.")
        }
    }

    /// What a form of the console sends: `why=…`.
    static func form(_ request: Request) async throws -> OrderNote {
        let text = String(decoding: try await body(request), as: UTF8.self)
        let field = text.split(separator: "&").first { $0.hasPrefix("why=") }
        let why = field.flatMap { PathSegment.decode(String($0.dropFirst(4)).replacing("+", with: " ")) }
        return OrderNote(why: why)
    }

    private static func body(_ request: Request) async throws -> [UInt8] {
        do {
            return Array(try await request.body.collect(upTo: bytesMost).readableBytesView)
        } catch {
            throw APIProblem(413, "too_long", "The body is longer than \(bytesMost) bytes.")
        }
    }
}
