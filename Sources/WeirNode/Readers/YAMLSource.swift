import WeirSettings

/// The lines of a source, for origins and messages.
struct YAMLSource {
    let file: String
    private let bytes: ArraySlice<UInt8>
    /// Where each line begins; line breaks as libyaml counts them, so that its marks fit.
    private let starts: [Int]
    /// Texts are shared by all nodes of a line.
    private var texts: [Int: String] = [:]

    init(_ bytes: ArraySlice<UInt8>, file: String) {
        self.file = file
        self.bytes = bytes
        var starts = [bytes.startIndex]
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let width = YAMLSource.lineBreak(bytes, index)
            index += max(1, width)
            if width > 0 { starts.append(index) }
        }
        self.starts = starts
    }

    var lineCount: Int { starts.count }

    /// Bytes of the line break at `index`; 0 when there is none: CR LF, LF, CR, NEL (C2 85), LS and PS (E2 80 A8/A9).
    private static func lineBreak(_ bytes: ArraySlice<UInt8>, _ index: Int) -> Int {
        func at(_ offset: Int) -> UInt8? { index + offset < bytes.endIndex ? bytes[index + offset] : nil }
        switch bytes[index] {
        case 0x0A: return 1
        case 0x0D: return at(1) == 0x0A ? 2 : 1
        case 0xC2: return at(1) == 0x85 ? 2 : 0
        case 0xE2: return at(1) == 0x80 && (at(2) == 0xA8 || at(2) == 0xA9) ? 3 : 0
        default: return 0
        }
    }

    mutating func text(ofLine line: Int) -> String {
        guard line >= 1, line <= starts.count else { return "" }
        if let text = texts[line] { return text }
        var end = line < starts.count ? starts[line] : bytes.endIndex
        while end > starts[line - 1], [0x0A, 0x0D].contains(bytes[end - 1]) { end -= 1 }
        let text = String(decoding: bytes[starts[line - 1]..<end], as: UTF8.self)
        texts[line] = text
        return text
    }

    mutating func origin(_ start: YAMLMark, to end: YAMLMark? = nil) -> SettingOrigin {
        let length = end.map { $0.line == start.line ? $0.column - start.column : 1 } ?? 1
        return .file(
            SettingPlace(
                file: file, line: start.line, column: start.column, length: length, text: text(ofLine: start.line)))
    }

    /// The line and column of a byte, for encoding errors.
    func mark(ofByte offset: Int) -> YAMLMark {
        let index = min(bytes.endIndex, bytes.startIndex + max(0, offset))
        let line = starts.lastIndex { $0 <= index } ?? 0
        let before = bytes[starts[line]..<index].count { $0 & 0xC0 != 0x80 }
        return YAMLMark(line: line + 1, column: before + 1)
    }
}
