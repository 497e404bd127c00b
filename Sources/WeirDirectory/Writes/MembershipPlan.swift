/// What has still to come into an attribute and what has still to go, each value once.
///
/// Values are told apart by the key of their names, so that one member in two spellings is one. A value that is asked
/// to come and to go at once is left alone.
package struct MembershipPlan: Sendable, Equatable {
    package enum Action: Sendable, Hashable {
        case add, delete
    }

    package struct Value: Sendable, Hashable {
        package var text: String
        package var key: String
        package var action: Action
    }

    /// How values are compared.
    package enum Comparison: Sendable {
        /// As names.
        case names
        /// As they are (`memberUid`).
        case exact

        package func key(_ text: String) -> String {
            switch self {
            case .names: DistinguishedName.key(of: text)
            case .exact: text
            }
        }
    }

    /// Adds before deletes: a group is never emptier in between than before and after.
    package private(set) var pending: [Value]
    /// Left out because they were asked for twice, or to come and to go.
    package let doubled: Int

    package init(adds: [String], deletes: [String], by comparison: Comparison = .names) {
        var seen: [String: Action] = [:]
        var values: [Value] = []
        var cancelled: Set<String> = []
        for (action, texts) in [(Action.add, adds), (.delete, deletes)] {
            for text in texts {
                let key = comparison.key(text)
                switch seen[key] {
                case nil:
                    seen[key] = action
                    values.append(Value(text: text, key: key, action: action))
                case action: break
                default: cancelled.insert(key)
                }
            }
        }
        pending = values.filter { !cancelled.contains($0.key) }
        doubled = adds.count + deletes.count - pending.count
    }

    package var isEmpty: Bool { pending.isEmpty }

    /// These are left to do.
    package mutating func leave(_ values: [Value]) { pending = values }

    /// Parts that a server takes in one request.
    /// - Parameters:
    ///   - most: values in one.
    ///   - bytes: of their text in one; a single value may be more.
    package func chunks(most: Int = 500, bytes: Int = 1 << 20) -> [[Value]] {
        var chunks: [[Value]] = []
        var chunk: [Value] = []
        var size = 0
        for value in pending {
            // A value costs a tag and a length besides its bytes.
            let cost = value.text.utf8.count + 6
            if !chunk.isEmpty, chunk.count >= most || size + cost > bytes {
                chunks.append(chunk)
                chunk = []
                size = 0
            }
            chunk.append(value)
            size += cost
        }
        if !chunk.isEmpty { chunks.append(chunk) }
        return chunks
    }
}

extension [MembershipPlan.Value] {
    /// One request, adds first.
    func modifications(_ attribute: String) -> [DirectoryModification] {
        let adds = filter { $0.action == .add }.map(\.text)
        let deletes = filter { $0.action == .delete }.map(\.text)
        return (adds.isEmpty ? [] : [DirectoryModification(.add, attribute, adds)])
            + (deletes.isEmpty ? [] : [DirectoryModification(.delete, attribute, deletes)])
    }

    var addCount: Int { lazy.filter { $0.action == .add }.count }
    var deleteCount: Int { count - addCount }
}
