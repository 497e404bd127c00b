/// Reads comma-separated values (RFC 4180): fields in quotes may hold delimiters, line ends and doubled quotes; lines
/// end with LF or CRLF; a blank line is nothing. Works on bytes that are UTF-8 already and copies each field once.
///
/// What a careless program may write is refused by name and line rather than read as something else: text after a
/// closing quote, a quote in the middle of an unquoted field, more or fewer fields than the header has.
struct CSVReader {
    enum Trouble: Error, Equatable {
        /// A quote opened in this line is never closed: all that follows would be one field.
        case openQuote(line: Int)
        /// Text follows a closing quote.
        case afterQuote(line: Int)
        /// A quote within a field that did not begin with one.
        case quoteInside(line: Int)

        var line: Int {
            switch self {
            case .openQuote(let line), .afterQuote(let line), .quoteInside(let line): line
            }
        }

        var text: String {
            switch self {
            case .openQuote: "a quote that opens here is never closed"
            case .afterQuote: "text follows a closing quote; a quote within quotes is written twice"
            case .quoteInside: "a quote stands within a field that does not begin with one"
            }
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private let delimiter: UInt8
    private var at = 0
    /// Of the row that was read last, and of the next.
    private(set) var line = 1
    private var nextLine = 1
    /// The row's fields, one behind the other.
    private(set) var text: [UInt8] = []
    /// Where each field ends in `text`.
    private(set) var ends: [Int] = []

    init(_ bytes: UnsafeRawBufferPointer, delimiter: UInt8) {
        self.bytes = bytes
        self.delimiter = delimiter
    }

    var count: Int { ends.count }
    /// Where the next row begins, and in which line.
    var offset: Int { at }
    var lineAfter: Int { nextLine }
    var isAtEnd: Bool { at >= bytes.count }

    /// Goes on where another reader of the same bytes stopped.
    mutating func skip(to offset: Int, line: Int) {
        at = offset
        nextLine = line
    }

    func field(_ number: Int) -> ArraySlice<UInt8> {
        text[(number == 0 ? 0 : ends[number - 1])..<ends[number]]
    }

    /// The next row that is not blank; false at the end.
    mutating func next() throws(Trouble) -> Bool {
        while at < bytes.count {
            text.removeAll(keepingCapacity: true)
            ends.removeAll(keepingCapacity: true)
            line = nextLine
            let start = at
            try row()
            if ends.count == 1, text.isEmpty, isBlank(start) { continue }
            return true
        }
        return false
    }

    /// A row of one empty field is blank unless the field was written in quotes.
    private func isBlank(_ start: Int) -> Bool { bytes[start] != UInt8(ascii: "\"") }

    private mutating func row() throws(Trouble) {
        while true {
            if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
                try quoted()
            } else {
                try plain()
            }
            ends.append(text.count)
            guard at < bytes.count else { return }
            let byte = bytes[at]
            at += 1
            if byte == delimiter { continue }
            if byte == 13, at < bytes.count, bytes[at] == 10 { at += 1 }
            nextLine += 1
            return
        }
    }

    private mutating func plain() throws(Trouble) {
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == delimiter || byte == 10 || (byte == 13 && isLineEnd(at)) { break }
            if byte == UInt8(ascii: "\"") { throw .quoteInside(line: nextLine) }
            at += 1
        }
        text.append(contentsOf: bytes[start..<at])
    }

    private func isLineEnd(_ at: Int) -> Bool { at + 1 >= bytes.count || bytes[at + 1] == 10 }

    private mutating func quoted() throws(Trouble) {
        let opened = nextLine
        at += 1
        while true {
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
                if bytes[at] == 10 { nextLine += 1 }
                at += 1
            }
            text.append(contentsOf: bytes[start..<at])
            guard at < bytes.count else { throw .openQuote(line: opened) }
            at += 1
            guard at < bytes.count else { return }
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                text.append(byte)
                at += 1
            } else if byte == delimiter || byte == 10 || (byte == 13 && isLineEnd(at)) {
                return
            } else {
                throw .afterQuote(line: nextLine)
            }
        }
    }
}
