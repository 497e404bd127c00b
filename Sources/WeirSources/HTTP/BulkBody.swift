internal import NIOCore
internal import WeirWires

/// The body of an Elasticsearch bulk request, taken apart as it comes: an action a line, and for most of them a
/// document on the next one.
///
/// Source: Elasticsearch reference, "Bulk API". Only `index` and `create` can be done here; what changes or deletes
/// documents is answered with an error of its own, and the rest goes on. Of each item it keeps what its answer says:
/// 16 bytes, and the bytes of its index (once for a run of equal ones) and identifier.
struct BulkBody {
    enum Action: String {
        case index, create, update, delete
        var hasDocument: Bool { self != .delete }
        var isSupported: Bool { self == .index || self == .create }
    }

    enum Problem {
        case notSupported, indexMissing, tooLong, notAnObject

        var type: String {
            switch self {
            case .notSupported: "illegal_argument_exception"
            case .indexMissing: "action_request_validation_exception"
            case .tooLong, .notAnObject: "document_parsing_exception"
            }
        }
        func reason(_ item: Item) -> String {
            switch self {
            case .notSupported: "[\(item.action.rawValue)] is not supported: Weir passes documents on, it keeps none"
            case .indexMissing: "index is missing"
            case .tooLong: "the document is too long"
            case .notAnObject: "failed to parse: the document is not a JSON object"
            }
        }
    }

    struct Item {
        var action: Action
        /// In `names`.
        fileprivate var index: Int32?
        fileprivate var id: Int32?
        var problem: Problem?
    }

    /// The whole request is refused.
    struct Mistake: Error {
        var reason: String
    }

    static let itemsMost = 100_000
    private static let actionMost = 16 * 1_024

    private let path: String?
    private let eventMost: Int
    private(set) var items: [Item] = []
    private var names = BulkNames()
    /// An action whose document is still to come.
    private var pending: Item?
    /// A line that is too long is passed over.
    private var isSkipping = false
    private var line = 0
    /// How much of the last piece is not needed any more.
    private(set) var consumed = 0
    private(set) var documents = 0

    init(index: String?, eventMost: Int) {
        path = index
        self.eventMost = eventMost
    }

    var heldBytes: Int { items.count * MemoryLayout<Item>.stride + names.byteCount }
    func index(of item: Item) -> String { item.index.map { names.text($0) } ?? path ?? "" }
    func id(of item: Item) -> String? { item.id.map { names.text($0) } }

    /// - Parameters:
    ///   - bytes: what was kept of the last call (from `consumed` on) and what came since.
    ///   - isLast: nothing follows.
    ///   - found: is called with the place of each document that can be taken, and its index.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, _ found: (Range<Int>, String) -> Void
    ) throws(Mistake) {
        consumed = 0
        while consumed < bytes.count {
            let feed = SyslogFraming.lineFeed(in: bytes, from: consumed)
            if feed == nil && !isLast {
                if bytes.count - consumed > max(eventMost, Self.actionMost) {
                    if !isSkipping { try passOver() }
                    consumed = bytes.count
                }
                return
            }
            let start = consumed
            let end = feed ?? bytes.count
            consumed = min(end + 1, bytes.count)
            if isSkipping {
                isSkipping = false
                continue
            }
            try take(bytes, start..<SyslogFraming.trimmed(bytes, start, end), found)
        }
        if isLast, pending != nil {
            throw Mistake(
                reason: "The bulk request must be terminated by a newline [\\n]: line \(line) has no document")
        }
    }

    private mutating func passOver() throws(Mistake) {
        guard var item = pending else {
            throw Mistake(reason: "Malformed action/metadata line [\(line + 1)]: too long")
        }
        pending = nil
        isSkipping = true
        line += 1
        item.problem = item.problem ?? .tooLong
        items.append(item)
    }

    private mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ found: (Range<Int>, String) -> Void
    ) throws(Mistake) {
        line += 1
        if var item = pending {
            pending = nil
            if item.problem == nil { item.problem = problem(in: bytes, range) }
            if item.problem == nil {
                documents += 1
                found(range, index(of: item))
            }
            items.append(item)
            return
        }
        if range.isEmpty { return }
        guard items.count < Self.itemsMost else {
            throw Mistake(reason: "more than \(Self.itemsMost) actions in one request")
        }
        var item = try action(UnsafeRawBufferPointer(rebasing: bytes[range]))
        if !item.action.isSupported {
            item.problem = .notSupported
        } else if index(of: item).isEmpty {
            item.problem = .indexMissing
        }
        if item.action.hasDocument { pending = item } else { items.append(item) }
    }

    private func problem(in bytes: UnsafeRawBufferPointer, _ document: Range<Int>) -> Problem? {
        if document.count > eventMost { return .tooLong }
        let start = JSONSplitter.skippingSpace(bytes, document)
        guard start < document.upperBound, bytes[start] == 0x7B,
            JSONSplitter.end(ofValueAt: start, in: UnsafeRawBufferPointer(rebasing: bytes[..<document.upperBound]))
                != nil
        else { return .notAnObject }
        return nil
    }

    private mutating func action(_ text: UnsafeRawBufferPointer) throws(Mistake) -> Item {
        guard text.count <= Self.actionMost, let members = JSONSplitter.members(of: text), members.count == 1,
            let member = members.first
        else { throw Mistake(reason: "Malformed action/metadata line [\(line)], expected START_OBJECT") }
        guard let action = Action(rawValue: String(decoding: text[member.key].prefix(32), as: UTF8.self)) else {
            throw Mistake(
                reason:
                    "Malformed action/metadata line [\(line)], expected field [create], [delete], [index] or [update]")
        }
        let value = UnsafeRawBufferPointer(rebasing: text[member.value])
        guard let metadata = JSONSplitter.members(of: value) else {
            throw Mistake(reason: "Malformed action/metadata line [\(line)], expected START_OBJECT or VALUE_NULL")
        }
        var item = Item(action: action)
        for entry in metadata {
            let entryValue = UnsafeRawBufferPointer(rebasing: value[entry.value])
            switch String(decoding: value[entry.key].prefix(16), as: UTF8.self) {
            case "_index": item.index = names.add(Self.text(entryValue), mayRepeat: true)
            case "_id": item.id = names.add(Self.text(entryValue), mayRepeat: false)
            default: break
            }
        }
        return item
    }

    /// Names in Elasticsearch have at most 255 bytes, identifiers 512.
    private static func text(_ value: UnsafeRawBufferPointer) -> ByteBuffer? {
        guard value.count <= 514 else { return nil }
        return value.first == 0x22 ? JSONSplitter.text(of: value) : ByteBuffer(bytes: value)
    }
}

/// Short texts in one buffer.
private struct BulkNames {
    private var bytes = ByteBuffer()
    private var last: (place: Int32, text: ByteBuffer)?

    var byteCount: Int { bytes.readableBytes }

    /// - Parameter mayRepeat: often equal to the one before, which is then used again.
    mutating func add(_ text: ByteBuffer?, mayRepeat: Bool) -> Int32? {
        guard let text else { return nil }
        if mayRepeat, let last, last.text == text { return last.place }
        // 100,000 items with 1 KB each stay far below the range.
        let place = Int32(clamping: bytes.readableBytes)
        bytes.writeInteger(UInt16(clamping: text.readableBytes))
        bytes.writeImmutableBuffer(text)
        if mayRepeat { last = (place, text) }
        return place
    }

    func text(_ place: Int32) -> String {
        let start = bytes.readerIndex + Int(place)
        guard let length = bytes.getInteger(at: start, as: UInt16.self) else { return "" }
        return bytes.getString(at: start + 2, length: Int(length)) ?? ""
    }
}
