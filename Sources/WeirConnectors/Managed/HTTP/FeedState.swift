import WeirExpressions
import WeirGates

/// What an HTTP connector remembers from run to run, as JSON: `{"state": …, "etag": …, "last_modified": …}`.
struct FeedState: Hashable {
    /// What the `state` expression made; an empty map at first.
    var state = Value.map(ValueMap())
    var etag: String?
    var lastModified: String?
    /// Of a file: its length and time of change.
    var file: String?
    /// TAXII: the date of the newest object that we have, by the address of the collection's objects.
    var addedAfter: [String: String] = [:]

    init() {}

    /// - Throws: where the text is not ours; a person can reset it.
    init(_ text: String?) throws(RunFailure) {
        guard let text, text != "null", !text.isEmpty else { return }
        guard case .map(let map)? = Value(json: text) else {
            throw RunFailure(
                "invalid_state", "The connector's state is not what a connector of type http keeps: `\(text.clipped)`.")
        }
        if let state = map["state"] { self.state = state }
        etag = Self.text(map["etag"])
        lastModified = Self.text(map["last_modified"])
        file = Self.text(map["file"])
        if case .map(let dates)? = map["added_after"] {
            for (key, date) in zip(dates.keys, dates.values) {
                if case .string(let address) = key, let date = Self.text(date) { addedAfter[address] = date }
            }
        }
    }

    private static func text(_ value: Value?) -> String? { if case .string(let text)? = value { text } else { nil } }

    var text: String {
        var map = ValueMap()
        if state != .map(ValueMap()) { map[.string("state")] = state }
        for (key, value) in [("etag", etag), ("last_modified", lastModified), ("file", file)] {
            if let value { map[.string(key)] = .string(value) }
        }
        if !addedAfter.isEmpty {
            var dates = ValueMap()
            for (address, date) in addedAfter.sorted(by: { $0.key < $1.key }) {
                dates[.string(address)] = .string(date)
            }
            map[.string("added_after")] = .map(dates)
        }
        return Value.map(map).jsonText
    }
}
