/// One entry of an LDIF file, with its attributes in the order and spelling in which they stand there.
struct LDIFEntry: Sendable, Equatable {
    struct Line: Sendable, Equatable {
        /// As written, with options: `cn`, `givenName;lang-de`.
        var attribute: String
        var value: [UInt8]

        /// The value as records have it: text, or base64 of what is no text.
        var text: String { LDIFText.text(value) }
    }

    var name: String
    var lines: [Line]
    /// In the file, counted from 1: where its `dn:` stands.
    var line = 0
    /// The bytes from its first line to behind its last one, without the blank line after it.
    var range = 0..<0

    /// Without regard to case.
    func values(_ attribute: String) -> [String] {
        lines.lazy.filter { $0.attribute.lowercased() == attribute }.map(\.text)
    }

    /// In lower case, each value once.
    var attributes: [String: [String]] {
        var result: [String: [String]] = [:]
        for line in lines where !line.value.isEmpty {
            let attribute = line.attribute.lowercased()
            if !result[attribute, default: []].contains(line.text) { result[attribute, default: []].append(line.text) }
        }
        return result.mapValues { $0.sorted() }
    }
}
