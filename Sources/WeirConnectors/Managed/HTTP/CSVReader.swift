import NIOCore
import WeirExpressions

/// CSV (RFC 4180) piece by piece: each record becomes a JSON object of texts.
///
/// A quoted field may hold delimiters, line ends and doubled quotes. Lines that begin with the comment sign and blank
/// lines are passed over. The first record has the names of the columns, unless they are given. A record with fewer
/// fields has fewer members; one with more is a mistake.
struct CSVReader {
    struct Dialect: Sendable, Hashable {
        var delimiter: UInt8 = UInt8(ascii: ",")
        var quote: UInt8? = UInt8(ascii: "\"")
        var comment: UInt8? = UInt8(ascii: "#")
        var columns: [String] = []
    }

    private enum State { case start, plain, quoted, quoteInQuoted, comment }

    private let dialect: Dialect
    private let recordMost: Int
    private var columns: [String]
    private var state = State.start
    private var fields: [[UInt8]] = []
    private var field: [UInt8] = []
    private var length = 0
    private var isRecordStart = true
    private var record = 0
    private(set) var lines = EventLines()

    init(_ dialect: Dialect, recordMost: Int = 1 << 20) {
        self.dialect = dialect
        self.recordMost = recordMost
        columns = dialect.columns
    }

    mutating func takeLines() -> (lines: ByteBuffer, count: Int) { lines.take() }

    mutating func feed(_ piece: ByteBuffer) throws(BundleMistake) {
        for byte in piece.readableBytesView { try take(byte) }
    }

    mutating func finish() throws(BundleMistake) {
        if state == .quoted {
            throw BundleMistake("invalid_csv", "Record \(record + 1) of the CSV ends inside of a quoted field.")
        }
        if !isRecordStart { try endRecord() }
    }

    private mutating func take(_ byte: UInt8) throws(BundleMistake) {
        length += 1
        guard length <= recordMost else {
            throw BundleMistake(
                "record_too_long", "Record \(record + 1) of the CSV is longer than \(recordMost) bytes.")
        }
        switch (state, byte) {
        case (.comment, 0x0A): reset()
        case (.comment, _): return
        case (.start, let sign) where isRecordStart && sign == dialect.comment: state = .comment
        case (.start, let sign) where sign == dialect.quote:
            state = .quoted
            isRecordStart = false
        case (.quoted, let sign) where sign == dialect.quote: state = .quoteInQuoted
        case (.quoted, _): field.append(byte)
        case (.quoteInQuoted, let sign) where sign == dialect.quote:
            field.append(sign)
            state = .quoted
        case (_, dialect.delimiter):
            fields.append(field)
            field = []
            state = .start
            isRecordStart = false
        case (_, 0x0A):
            if isRecordStart { return reset() }
            try endRecord()
        // Of a line end, or stray: no tool writes one into a plain field.
        case (_, 0x0D): return
        case (.quoteInQuoted, _):
            throw BundleMistake("invalid_csv", "Record \(record + 1) of the CSV goes on after a closing quote.")
        default:
            field.append(byte)
            state = .plain
            isRecordStart = false
        }
    }

    private mutating func reset() {
        state = .start
        fields = []
        field = []
        length = 0
        isRecordStart = true
    }

    private mutating func endRecord() throws(BundleMistake) {
        fields.append(field)
        let texts = fields.map { String(decoding: $0, as: UTF8.self) }
        record += 1
        reset()
        if columns.isEmpty {
            columns = Self.names(texts)
            return
        }
        guard texts.count <= columns.count else {
            throw BundleMistake(
                "invalid_csv",
                "Record \(record) of the CSV has \(texts.count) fields, but there are \(columns.count) columns.")
        }
        var map = ValueMap()
        for (column, text) in zip(columns, texts) { map[.string(column)] = .string(text) }
        let json = Array(Value.map(map).jsonText.utf8)
        json.withUnsafeBytes { lines.addTrusted($0) }
    }

    /// Names of columns, so that no two are the same and none is empty: nothing of a record is lost.
    private static func names(_ texts: [String]) -> [String] {
        var names: [String] = []
        for (index, text) in texts.enumerated() {
            let name = text.isEmpty ? "column" : text
            names.append(text.isEmpty || names.contains(name) ? "\(name)_\(index + 1)" : name)
        }
        return names
    }
}
