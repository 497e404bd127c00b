import NIOCore
import WeirExpressions
import WeirGates
import WeirWires

/// Cuts the items out of a JSON document while its bytes come, and notes a few single values beside them (the cursor of
/// the next page). It keeps no more than the item that is being read.
///
/// `items` is a path of keys with dots (`data.results`), empty for the document itself. Where it leads to an array,
/// each object in that is an item; where it leads to an object, that one is.
struct ItemCutter {
    private struct Frame {
        var isArray: Bool
        var key = ""
    }

    private let items: String
    private let wanted: Set<String>
    private let itemMost: Int
    private var scanner = JSONScanner()
    private var frames: [Frame] = []
    /// Depth of the item that is being read.
    private var itemDepth: Int?
    private var carried = ByteBuffer()
    private var key: [UInt8]?
    private var value: [UInt8]?
    private var valuePath = ""
    private var isScalar = false

    /// The noted values, by their paths: text without quotes.
    private(set) var notes: [String: String] = [:]
    private(set) var lines = EventLines()
    /// Whether the path led to something.
    private(set) var hasFound = false

    private static let shortMost = 8 << 10

    init(items: String, noting wanted: [String] = [], itemMost: Int = 16 << 20) {
        self.items = items
        self.wanted = Set(wanted)
        self.itemMost = itemMost
    }

    mutating func takeLines() -> (lines: ByteBuffer, count: Int) { lines.take() }

    mutating func feed(_ piece: ByteBuffer) throws(BundleMistake) {
        try piece.withUnsafeReadableBytes { bytes throws(BundleMistake) in try feed(bytes) }
    }

    private mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(BundleMistake) {
        var index = 0
        var itemStart = 0
        var valueStart = 0
        var from = 0
        while let token = try scanner.next(bytes, &index, of: "answer") {
            defer { from = index }
            switch token {
            case .objectStart, .arrayStart:
                let isArray = token == .arrayStart
                if itemDepth == nil {
                    if !isArray, isItem {
                        itemDepth = frames.count
                        itemStart = index - 1
                        hasFound = true
                    } else if isArray, path == items {
                        hasFound = true
                    }
                }
                frames.append(Frame(isArray: isArray))
            case .objectEnd, .arrayEnd:
                if !frames.isEmpty { frames.removeLast() }
                if itemDepth == frames.count {
                    itemDepth = nil
                    try took(UnsafeRawBufferPointer(rebasing: bytes[itemStart..<index]))
                }
            case .keyStart where itemDepth == nil: key = []
            case .keyEnd:
                if let key, !frames.isEmpty { frames[frames.count - 1].key = String(decoding: key, as: UTF8.self) }
                key = nil
            case .stringStart where itemDepth == nil, .scalarStart where itemDepth == nil:
                try checkElement(bytes[max(0, index - 1)...])
                let here = path
                if wanted.contains(here) {
                    value = []
                    valuePath = here
                    isScalar = token == .scalarStart
                    valueStart = index - 1
                }
            case .text:
                let part = bytes[from..<index]
                if let count = key?.count, count < Self.shortMost { key?.append(contentsOf: part) }
                if let count = value?.count, count < Self.shortMost { value?.append(contentsOf: part) }
            case .stringEnd: note()
            case .scalarEnd:
                if value != nil { value?.append(contentsOf: bytes[valueStart..<index]) }
                note()
            default: break
            }
        }
        if isScalar, value != nil { value?.append(contentsOf: bytes[min(valueStart, bytes.count)...]) }
        if itemDepth != nil {
            guard carried.readableBytes + bytes.count - itemStart <= itemMost else { throw tooLarge }
            carried.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[itemStart...]))
        }
    }

    mutating func finish() throws(BundleMistake) {
        try scanner.finish("answer")
        guard hasFound else {
            throw BundleMistake("no_items", "The answer has nothing at `\(items)` (`items`), or no objects there.")
        }
    }

    private var tooLarge: BundleMistake {
        BundleMistake("object_too_large", "An event is larger than \(ByteCount(itemMost).shortText) (`item_most`).")
    }

    /// Where we are: keys with dots, `[]` for an array.
    private var path: String { frames.map { $0.isArray ? "[]" : $0.key }.joined(separator: ".") }

    /// Whether an object that begins here is an item.
    private var isItem: Bool {
        let path = path
        return path == items || path == (items.isEmpty ? "[]" : items + ".[]")
    }

    private func checkElement(_ bytes: Slice<UnsafeRawBufferPointer>) throws(BundleMistake) {
        guard frames.last?.isArray == true, isItem else { return }
        let shown = String(decoding: bytes.prefix(20), as: UTF8.self)
        throw BundleMistake("no_object", "Among the items at `\(items)` is something that is no object: `\(shown)`.")
    }

    private mutating func note() {
        if let value {
            let text = String(decoding: value, as: UTF8.self)
            if isScalar {
                if text != "null" { notes[valuePath] = text }
            } else if case .string(let plain) = Value(json: "\"\(text)\"") {
                notes[valuePath] = plain
            }
        }
        value = nil
        isScalar = false
    }

    private mutating func took(_ rest: UnsafeRawBufferPointer) throws(BundleMistake) {
        guard carried.readableBytes + rest.count <= itemMost else { throw tooLarge }
        if carried.readableBytes == 0 { return lines.addTrusted(rest) }
        carried.writeBytes(rest)
        let whole = carried
        carried = ByteBuffer()
        whole.withUnsafeReadableBytes { lines.addTrusted($0) }
    }
}
