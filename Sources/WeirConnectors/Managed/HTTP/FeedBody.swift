import NIOCore
import WeirGates
import WeirWires

/// The body of an answer on its way to events, in one of the formats.
struct FeedBody {
    private enum Reader {
        case items(ItemCutter)
        case lines(LineSplitter<BundleMistake>, EventLines)
        case csv(CSVReader)
        /// A feed is read when it is whole.
        case feed(ByteBuffer, EventLines)
    }

    private var reader: Reader
    /// A bundle or envelope may come without `objects`: then there is nothing new.
    private let isEnvelope: Bool
    static let feedMost = 64 << 20

    init(_ settings: HTTPConnectorSettings) {
        let lineMost = settings.itemMost.asInt
        isEnvelope = settings.format == .stix || settings.format == .taxii
        switch settings.format {
        case .json:
            let cursor = settings.pagination?.next ?? ""
            reader = .items(
                ItemCutter(items: settings.items, noting: cursor.isEmpty ? [] : [cursor], itemMost: lineMost))
        case .stix:
            reader = .items(ItemCutter(items: "objects", itemMost: lineMost))
        case .taxii:
            reader = .items(ItemCutter(items: "objects", noting: ["more", "next"], itemMost: lineMost))
        case .ndjson:
            let splitter = LineSplitter(most: lineMost) { line in
                BundleMistake(
                    "line_too_long", "Line \(line) of the answer is longer than \(lineMost) bytes (`item_most`).")
            }
            reader = .lines(splitter, EventLines())
        case .csv: reader = .csv(CSVReader((settings.csv ?? CSVSettings()).dialect, recordMost: lineMost))
        case .rss: reader = .feed(ByteBuffer(), EventLines())
        }
    }

    /// Values of the answer that the next page is found by.
    var notes: [String: String] { if case .items(let cutter) = reader { cutter.notes } else { [:] } }

    mutating func feed(_ piece: ByteBuffer) throws(BundleMistake) {
        switch reader {
        case .items(var cutter):
            try cutter.feed(piece)
            reader = .items(cutter)
        case .lines(var splitter, var lines):
            try splitter.feed(piece) { line throws(BundleMistake) in try Self.add(line, to: &lines) }
            reader = .lines(splitter, lines)
        case .csv(var csv):
            try csv.feed(piece)
            reader = .csv(csv)
        case .feed(var bytes, let lines):
            // Else the copy above would be one, of all that came so far.
            reader = .feed(ByteBuffer(), lines)
            guard bytes.readableBytes + piece.readableBytes <= Self.feedMost else {
                throw BundleMistake("feed_too_large", "The feed is larger than \(Self.feedMost >> 20) MiB.")
            }
            bytes.writeImmutableBuffer(piece)
            reader = .feed(bytes, lines)
        }
    }

    mutating func finish() throws(BundleMistake) {
        switch reader {
        case .items(var cutter):
            do throws(BundleMistake) { try cutter.finish() } catch {
                if error.code != "no_items" || !isEnvelope { throw error }
            }
            reader = .items(cutter)
        case .lines(var splitter, var lines):
            try splitter.finish { line throws(BundleMistake) in try Self.add(line, to: &lines) }
            reader = .lines(splitter, lines)
        case .csv(var csv):
            try csv.finish()
            reader = .csv(csv)
        case .feed(let bytes, _): reader = .feed(ByteBuffer(), try FeedReader.read(bytes))
        }
    }

    mutating func takeLines() -> (lines: ByteBuffer, count: Int) {
        switch reader {
        case .items(var cutter):
            let taken = cutter.takeLines()
            reader = .items(cutter)
            return taken
        case .lines(let splitter, var lines):
            let taken = lines.take()
            reader = .lines(splitter, lines)
            return taken
        case .csv(var csv):
            let taken = csv.takeLines()
            reader = .csv(csv)
            return taken
        case .feed(let bytes, var lines):
            let taken = lines.take()
            reader = .feed(bytes, lines)
            return taken
        }
    }

    private static func add(_ line: UnsafeRawBufferPointer, to lines: inout EventLines) throws(BundleMistake) {
        if line.allSatisfy({ $0 <= 0x20 }) || lines.add(line) { return }
        throw BundleMistake("invalid_event", "A line of the answer is no JSON object: `\(excerpt(line))`.")
    }
}
