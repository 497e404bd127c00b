/// Why a text is no usable expression: found when it is read, before anything is evaluated.
package struct ExpressionProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, for people, without the position.
    package var message: String
    /// Both count from 1; the column counts code points.
    package var line: Int
    package var column: Int
    /// The line of the source that the problem is in, cut to 160 code points.
    package var sourceLine: String

    init(_ message: String, at offset: Int, in source: [UInt8]) {
        self.message = message
        let offset = min(max(offset, 0), source.count)
        var line = 1
        var start = 0
        for at in 0..<offset where source[at] == UInt8(ascii: "\n") {
            line += 1
            start = at + 1
        }
        let end = source[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
        // A very long line is shown from a little before the problem.
        let from = offset - start > 120 ? offset - 100 : start
        let text = String(decoding: source[from..<max(from, end)], as: UTF8.self)
        self.line = line
        self.column = String(decoding: source[start..<offset], as: UTF8.self).unicodeScalars.count + 1
        self.sourceLine = Text.string(text.unicodeScalars.prefix(160))
        self.caret = String(decoding: source[from..<offset], as: UTF8.self).unicodeScalars.count
    }

    private var caret: Int

    /// `1:7: message`, the source line, and a caret under the place.
    package var description: String {
        "\(line):\(column): \(message)\n | \(sourceLine)\n | " + String(repeating: ".", count: caret) + "^"
    }
}
