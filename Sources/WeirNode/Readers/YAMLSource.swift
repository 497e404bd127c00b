import WeirSettings

/// The lines of a source, for origins and messages. Looks no further into the source than the parser has come, so that
/// a bomb of megabytes costs no more than the part of it that was read.
struct YAMLSource {
    /// Longer lines are made by machines: messages show the beginning, or nothing when the place is further on.
    private static let lineBytesMost = 4_096

    let file: String
    private let bytes: ArraySlice<UInt8>
    /// Where each line begins, as far as was looked; line breaks as libyaml counts them, so that its marks fit.
    private var starts: [Int]
    /// How far was looked.
    private var scanned: Int
    /// Nodes of one line share its text.
    private var latest: (line: Int, text: String) = (0, "")

    init(_ bytes: ArraySlice<UInt8>, file: String) {
        self.file = file
        self.bytes = bytes
        starts = [bytes.startIndex]
        scanned = bytes.startIndex
    }

    mutating func text(ofLine line: Int) -> String {
        if line == latest.line { return latest.text }
        scan(toLine: line, toByte: .max)
        guard line >= 1, line <= starts.count else { return "" }
        let start = starts[line - 1]
        var end = start
        let limit = min(bytes.endIndex, start + YAMLSource.lineBytesMost)
        while end < limit, YAMLSource.lineBreak(bytes, end) == 0 { end += 1 }
        // Never through the middle of a character.
        while end < bytes.endIndex, end > start, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        latest = (line, String(decoding: bytes[start..<end], as: UTF8.self))
        return latest.text
    }

    mutating func origin(_ start: YAMLMark, to end: YAMLMark? = nil) -> SettingOrigin {
        let length = end.map { $0.line == start.line ? $0.column - start.column : 1 } ?? 1
        return .file(
            SettingPlace(
                file: file, line: start.line, column: start.column, length: length, text: text(ofLine: start.line)))
    }

    /// The line and column of a byte, for encoding errors.
    mutating func mark(ofByte offset: Int) -> YAMLMark {
        let index = min(bytes.endIndex, bytes.startIndex + max(0, offset))
        scan(toLine: .max, toByte: index)
        let line = starts.lastIndex { $0 <= index } ?? 0
        let before = bytes[starts[line]..<index].count { $0 & 0xC0 != 0x80 }
        return YAMLMark(line: line + 1, column: before + 1)
    }

    /// Looks on until the line has begun, the byte is reached, or the source ends.
    private mutating func scan(toLine line: Int, toByte byte: Int) {
        while scanned < bytes.endIndex, starts.count < line, scanned < byte {
            let width = YAMLSource.lineBreak(bytes, scanned)
            scanned += max(1, width)
            if width > 0 { starts.append(scanned) }
        }
    }

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
}
