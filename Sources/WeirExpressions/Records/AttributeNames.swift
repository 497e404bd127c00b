import Synchronization

/// Attribute names as small numbers, given out in the order in which they are first asked for. One table is shared by
/// the expressions that read compact records and by those who write such records, so that both mean the same number.
package final class AttributeNames: Sendable {
    private struct State {
        var numbers: [String: UInt16] = [:]
        var names: [String] = []
    }

    /// Numbers have 15 bits: the sixteenth of an entry says whether the attribute has a list of values.
    static let most = 0x7FFF

    private let state = Mutex(State())

    package init() {}

    package var count: Int { state.withLock { $0.names.count } }

    /// All names given out so far; a name's number is its place.
    package var all: [String] { state.withLock { $0.names } }

    /// The name's number, a new one where it has none. Names beyond the 32,767th share the last number, which no record
    /// has.
    /// - Parameter name: in lower case.
    package func number(of name: String) -> UInt16 {
        state.withLock { state in
            if let known = state.numbers[name] { return known }
            guard state.names.count < Self.most else { return UInt16(Self.most) }
            let number = UInt16(state.names.count)
            state.names.append(name)
            state.numbers[name] = number
            return number
        }
    }
}
