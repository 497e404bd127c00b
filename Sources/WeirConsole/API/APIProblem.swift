import WeirSettings

/// The one shape of an error: a code for machines, a message for people, what exactly was wrong, and what to do.
package struct APIProblem: Error, Codable, Sendable, Hashable {
    package var code: String
    package var message: String
    package var detail: String
    package var help: String
    /// The HTTP status; not in the document.
    var status = 400

    enum CodingKeys: String, CodingKey { case code, message, detail, help }

    init(_ status: Int, _ code: String, _ message: String, detail: String = "", help: String = "") {
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.help = help
    }

    /// - Parameters:
    ///   - known: the names that exist; the nearest is suggested.
    ///   - also: other names that may be meant, not worth a list.
    static func unknown(_ kind: String, _ name: String, known: [String], also: [String] = []) -> APIProblem {
        let nearest = Nearest.word(name, among: known + also)
        return APIProblem(
            404, "unknown_\(kind.contains(" ") ? "name" : kind)",
            "There is no \(kind) named \"\(Printable.line(name))\".",
            detail: known.isEmpty
                ? "None is configured." : "Known: \(known.sorted().prefix(20).joined(separator: ", ")).",
            help: nearest.map { "Did you mean \"\($0)\"?" } ?? "")
    }
}
