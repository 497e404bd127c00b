internal import NIOCore
internal import WeirWires

/// The body of an Elasticsearch bulk request, taken apart: an action a line, and for most of them a document on the
/// next one.
///
/// Source: Elasticsearch reference, "Bulk API". Only `index` and `create` can be done here; what changes or deletes
/// documents is answered with an error of its own, and the rest goes on.
struct BulkBody {
    struct Item {
        /// `index`, `create`, `update` or `delete`.
        var action: String
        var index: String?
        var id: String?
        /// Where the document stands in the body; `nil` when it cannot be taken.
        var document: Range<Int>?
        var problem: (type: String, reason: String)?
    }

    /// The whole request is refused.
    struct Mistake: Error {
        var reason: String
    }

    static let itemsMost = 100_000

    private(set) var items: [Item] = []

    init(_ bytes: UnsafeRawBufferPointer, index: String?, eventMost: Int) throws(Mistake) {
        var lines = Lines(bytes: bytes)
        while let line = lines.next() {
            if line.isEmpty { continue }
            guard items.count < Self.itemsMost else {
                throw Mistake(reason: "more than \(Self.itemsMost) actions in one request")
            }
            var item = try Self.action(bytes, line, number: lines.number, index: index)
            if item.action != "delete" {
                guard let document = lines.next() else {
                    throw Mistake(
                        reason:
                            "The bulk request must be terminated by a newline [\\n]: line \(lines.number) has no "
                            + "document"
                    )
                }
                Self.look(at: bytes, document, eventMost, &item)
            }
            switch item.action {
            case "update", "delete":
                item.document = nil
                item.problem = (
                    "illegal_argument_exception",
                    "[\(item.action)] is not supported: Weir passes documents on, it keeps none"
                )
            default: break
            }
            if item.problem == nil && (item.index ?? "").isEmpty {
                item.document = nil
                item.problem = ("action_request_validation_exception", "index is missing")
            }
            items.append(item)
        }
    }

    private static func look(at bytes: UnsafeRawBufferPointer, _ document: Range<Int>, _ most: Int, _ item: inout Item)
    {
        let start = JSONSplitter.skippingSpace(bytes, document)
        if document.count > most {
            item.problem = ("document_parsing_exception", "the document is longer than \(most) bytes")
        } else if start == document.upperBound || bytes[start] != 0x7B
            || JSONSplitter.end(ofValueAt: start, in: UnsafeRawBufferPointer(rebasing: bytes[..<document.upperBound]))
                == nil
        {
            item.problem = ("document_parsing_exception", "failed to parse: the document is not a JSON object")
        } else {
            item.document = document
        }
    }

    private static func action(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, number: Int, index: String?
    ) throws(Mistake) -> Item {
        let text = UnsafeRawBufferPointer(rebasing: bytes[line])
        guard let members = JSONSplitter.members(of: text), members.count == 1, let member = members.first else {
            throw Mistake(reason: "Malformed action/metadata line [\(number)], expected START_OBJECT")
        }
        let name = String(decoding: text[member.key].prefix(32), as: UTF8.self)
        guard ["index", "create", "update", "delete"].contains(name) else {
            throw Mistake(
                reason:
                    "Malformed action/metadata line [\(number)], expected field [create], [delete], [index] or [update]"
            )
        }
        let value = UnsafeRawBufferPointer(rebasing: text[member.value])
        guard let metadata = JSONSplitter.members(of: value) else {
            throw Mistake(reason: "Malformed action/metadata line [\(number)], expected START_OBJECT or VALUE_NULL")
        }
        var item = Item(action: name, index: index)
        for entry in metadata {
            let entryValue = UnsafeRawBufferPointer(rebasing: value[entry.value])
            switch String(decoding: value[entry.key].prefix(16), as: UTF8.self) {
            case "_index": item.index = Self.text(entryValue)
            case "_id": item.id = Self.text(entryValue)
            default: break
            }
        }
        return item
    }

    /// Names in Elasticsearch have at most 255 bytes, identifiers 512.
    private static func text(_ value: UnsafeRawBufferPointer) -> String? {
        guard value.count <= 514 else { return nil }
        if value.first != 0x22 { return String(decoding: value, as: UTF8.self) }
        return JSONSplitter.text(of: value).map { String(buffer: $0) }
    }

    private struct Lines {
        let bytes: UnsafeRawBufferPointer
        private var offset = 0
        var number = 0

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        /// The next line without its end; the last one may lack it.
        mutating func next() -> Range<Int>? {
            guard offset < bytes.count else { return nil }
            let start = offset
            let feed = SyslogFraming.lineFeed(in: bytes, from: start) ?? bytes.count
            offset = feed + 1
            number += 1
            return start..<SyslogFraming.trimmed(bytes, start, min(feed, bytes.count))
        }
    }
}
