/// Reads LDIF content records (RFC 2849) one by one: continued lines, comments, base64, both ends of lines.
///
/// What is not a copy of a directory is refused as a whole, because to guess would be to write the guess into
/// directories: files of changes (`changetype`, `control`), values in other files (`:<`), text before the first entry,
/// and a last line without an end, which is how a file looks that is still being written.
///
/// A value: the bytes are held, not copied, so that it may be handed to another thread between two entries.
struct LDIFReader: Sendable {
    struct Trouble: Error, Equatable {
        /// From 1.
        var line: Int
        var text: String
        /// It may be another file in a moment.
        var isPassing = false
    }

    /// A line without its end, with what continued it.
    private struct Line {
        var bytes: [UInt8]
        var number: Int
        var start: Int
        /// Behind its end.
        var end: Int
    }

    let bytes: [UInt8]
    private var at = 0
    private var number = 1
    private var isBegun = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark is not in the RFC; editors write it.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    }

    /// The next entry; nil at the end.
    mutating func next() throws(Trouble) -> LDIFEntry? {
        guard let first = try firstLine() else { return nil }
        var (attribute, value) = try pair(first)
        guard attribute.lowercased() == "dn" else {
            throw Trouble(line: first.number, text: "an entry begins with `dn:`, and here stands `\(attribute)`")
        }
        guard let name = String(validating: value, as: UTF8.self) else {
            throw Trouble(line: first.number, text: "the name of the entry is not UTF-8")
        }
        var entry = LDIFEntry(name: name, lines: [], line: first.number, range: first.start..<first.end)
        while let line = try line(), !line.bytes.isEmpty {
            if line.bytes.first == UInt8(ascii: "#") { continue }
            if line.bytes == [UInt8(ascii: "-")] { throw Self.changes(line.number) }
            (attribute, value) = try pair(line)
            switch attribute.lowercased() {
            case "changetype", "control": throw Self.changes(line.number)
            case "dn":
                throw Trouble(line: line.number, text: "`dn:` in the middle of an entry: a blank line is missing")
            default: break
            }
            entry.lines.append(LDIFEntry.Line(attribute: attribute, value: value))
            entry.range = first.start..<line.end
        }
        return entry
    }

    private static func changes(_ line: Int) -> Trouble {
        Trouble(
            line: line,
            text: "this is a file of changes (`changetype`), not a copy of a directory: carry it out with ldapmodify, "
                + "and write the copy with `ldapsearch -LLL` or `slapcat`")
    }

    /// The line that begins an entry: behind blank lines, comments and the version.
    private mutating func firstLine() throws(Trouble) -> Line? {
        while let line = try line() {
            if line.bytes.isEmpty || line.bytes.first == UInt8(ascii: "#") { continue }
            if !isBegun {
                isBegun = true
                let (attribute, value) = try pair(line)
                if attribute.lowercased() == "version" {
                    guard value == Array("1".utf8) else {
                        throw Trouble(line: line.number, text: "only version 1 of LDIF is known (RFC 2849)")
                    }
                    continue
                }
            }
            return line
        }
        return nil
    }

    /// `attribute: value`, `attribute:: base64`.
    private func pair(_ line: Line) throws(Trouble) -> (attribute: String, value: [UInt8]) {
        guard let colon = line.bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw Trouble(line: line.number, text: "there is no `attribute: value`")
        }
        let name = line.bytes[..<colon]
        guard name.allSatisfy(Self.isOfName) else {
            throw Trouble(line: line.number, text: "what stands before the colon is no attribute")
        }
        let attribute = String(decoding: name, as: UTF8.self)
        var rest = line.bytes[(colon + 1)...]
        let mark = rest.first
        if mark == UInt8(ascii: ":") || mark == UInt8(ascii: "<") { rest = rest.dropFirst() }
        rest = rest.drop { $0 == UInt8(ascii: " ") }
        switch mark {
        case UInt8(ascii: ":"):
            guard let value = LDIFText.decoded(base64: rest) else {
                throw Trouble(line: line.number, text: "the value of `\(attribute)` is not base64")
            }
            return (attribute, value)
        case UInt8(ascii: "<"):
            throw Trouble(
                line: line.number,
                text: "the value of `\(attribute)` is in another file (`:<`), and other files are not read")
        default: return (attribute, Array(rest))
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: ";"), UInt8(ascii: "."),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// The next line with its continuations; nil at the end of the file.
    private mutating func line() throws(Trouble) -> Line? {
        guard at < bytes.count else { return nil }
        var line = Line(bytes: [], number: number, start: at, end: at)
        repeat {
            guard let end = bytes[at...].firstIndex(of: 10) else {
                throw Trouble(
                    line: number,
                    text: "the last line has no end: the file may still be written; when it is whole, end the line",
                    isPassing: true)
            }
            let isContinued = line.end > line.start
            var piece = bytes[(isContinued ? at + 1 : at)..<end]
            if piece.last == 13 { piece = piece.dropLast() }
            line.bytes += piece
            at = end + 1
            line.end = at
            number += 1
            // A blank line ends an entry; what is behind it with a space continues nothing.
            if line.bytes.isEmpty, !isContinued { break }
        } while at < bytes.count && bytes[at] == UInt8(ascii: " ")
        return line
    }
}
