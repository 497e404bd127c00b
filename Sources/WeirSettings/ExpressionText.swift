/// An expression as it was written, with its place, so that what the compiler says later points into the configuration.
package struct ExpressionText: Sendable, Hashable, ExpressibleByStringLiteral {
    package var text: String
    package var origin: SettingOrigin
    package var path: String
    /// Quoted or a block in the file: positions inside are then shifted, or not known.
    private var isQuoted: Bool

    package init(_ text: String, origin: SettingOrigin = .standard, path: String = "") {
        (self.text, self.origin, self.path, isQuoted) = (text, origin, path, false)
    }

    package init(stringLiteral text: String) { self.init(text) }

    package var isEmpty: Bool { text.isEmpty }

    /// A complaint about the code point at `offset` (from 0) of the text; `nil` for the expression as a whole.
    package func problem(_ message: String, offset: Int? = nil, help: String = "") -> SettingProblem {
        var origin = origin
        if let offset, case .file(var place) = origin {
            // The text is found again in its line: right for plain and for simply quoted text; escapes and blocks of
            // several lines keep pointing at the start.
            let start = isQuoted ? place.column : place.column - 1
            let line = Array(place.text.unicodeScalars)
            let expected = Array(text.unicodeScalars)
            if start >= 0, start + expected.count <= line.count, Array(line[start..<start + expected.count]) == expected
            {
                place.column = start + 1 + min(max(0, offset), expected.count)
                place.length = 1
                origin = .file(place)
            }
        }
        return SettingProblem(message, at: origin, path: path, help: help)
    }
}

extension ExpressionText: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> ExpressionText? {
        guard let text = String.read(node, &reading) else { return nil }
        var result = ExpressionText(text, origin: node.origin, path: reading.path)
        if case .scalar(let scalar) = node.content { result.isQuoted = scalar.isQuoted }
        return result
    }
    package static var shape: SettingShape { .expression }
    package var plain: PlainValue { .text(text) }
}
