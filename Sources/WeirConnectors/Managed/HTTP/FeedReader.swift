import NIOCore
import WeirExpressions

/// RSS (also RDF) and Atom: each `item` or `entry` becomes a JSON object with its elements by their names.
///
/// An element's value is its text; what stands in elements inside of it is joined to that. Elements that come several
/// times (`category`) become lists. A `link` or `category` without text gives its `href` or `term`; of several Atom
/// links the alternate one stands under `link`, others under `link_REL`.
enum FeedReader {
    static func read(_ body: ByteBuffer) throws(BundleMistake) -> EventLines {
        var scanner = XMLScanner(Array(body.readableBytesView))
        var lines = EventLines()
        var depth = 0
        var itemDepth: Int?
        var item = ValueMap()
        var member: (name: String, attributes: [String: String], text: String)?
        var isFeed = false
        while let token = try scanner.next() {
            switch token {
            case .start(let name, let attributes):
                depth += 1
                if depth == 1 { isFeed = ["rss", "feed", "rdf:RDF"].contains(name) }
                if itemDepth == nil, name == "item" || name == "entry" {
                    itemDepth = depth
                    item = ValueMap()
                } else if let itemDepth, depth == itemDepth + 1 {
                    member = (name, attributes, "")
                }
            case .text(let text): member?.text += text
            case .end:
                if let ended = member, depth == (itemDepth ?? 0) + 1 {
                    add(ended.name, ended.attributes, ended.text, to: &item)
                    member = nil
                } else if depth == itemDepth {
                    itemDepth = nil
                    let json = Array(Value.map(item).jsonText.utf8)
                    json.withUnsafeBytes { lines.addTrusted($0) }
                }
                depth -= 1
            }
        }
        guard isFeed else { throw BundleMistake("not_a_feed", "The answer is XML, but neither RSS nor Atom.") }
        return lines
    }

    private static func add(
        _ name: String, _ attributes: [String: String], _ text: String, to item: inout ValueMap
    ) {
        let text = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
        let value = text.isEmpty ? attributes["href"] ?? attributes["term"] ?? attributes["url"] ?? "" : String(text)
        var key = name
        if name == "link", let relation = attributes["rel"], relation != "alternate" { key = "link_\(relation)" }
        guard let known = item[key] else {
            item[.string(key)] = .string(value)
            return
        }
        if case .list(let values) = known {
            item[.string(key)] = .list(values + [.string(value)])
        } else {
            item[.string(key)] = .list([known, .string(value)])
        }
    }
}
