import Synchronization

/// Where parts publish their gates, and the only place where API, console, metrics and `weir why` read them. It is made
/// by the node and passed by `init`.
package final class GateRegistry: Sendable {
    /// What a person may do to a gate.
    package enum Order: Sendable, Hashable {
        /// Hold everything (`paused`) until released.
        case hold(by: String)
        /// End a pause or a suspension and try at once.
        case release(by: String)
    }

    /// One gate as its owner publishes it. `read` and `order` are quick and never block.
    package struct Entry: Sendable {
        package var id: String
        package var read: @Sendable () -> GateReading
        package var order: @Sendable (Order) -> Void

        package init(
            id: String, read: @escaping @Sendable () -> GateReading, order: @escaping @Sendable (Order) -> Void
        ) {
            self.id = id
            self.read = read
            self.order = order
        }
    }

    private let entries = Mutex<[Entry]>([])

    package init() {}

    /// A second registration of an id replaces the first (a reload).
    package func publish(_ entry: Entry) {
        entries.withLock { entries in
            let place = Self.place(of: entry.id, in: entries)
            if place < entries.count, entries[place].id == entry.id {
                entries[place] = entry
            } else {
                entries.insert(entry, at: place)
            }
        }
    }

    /// Many at once: one sort instead of a search for each.
    package func publish(_ many: [Entry]) {
        let ids = Set(many.map(\.id))
        entries.withLock { entries in
            entries.removeAll { ids.contains($0.id) }
            entries += many
            entries.sort { $0.id < $1.id }
        }
    }

    package func withdraw(_ id: String) { entries.withLock { $0.removeAll { $0.id == id } } }

    /// All gates, sorted by id.
    package var readings: [GateReading] { entries.withLock { $0 }.map { $0.read() } }

    /// All gates, sorted by id, but those of a crowd (connectors may be a hundred thousand) only while it is small.
    /// - Parameters:
    ///   - prefix: what the ids of the crowd begin with; not empty.
    ///   - most: gates of the crowd; when it has more, the first ones or none come along.
    /// - Returns: also how many of the crowd were left out.
    package func readings(
        crowd prefix: String, most: Int, orNone: Bool = false
    ) -> (readings: [GateReading], left: Int) {
        let all = entries.withLock { $0 }
        let start = Self.place(of: prefix, in: all)
        // The character after the prefix's last one: the first id that does not begin with it.
        var end = prefix.utf8.map { $0 }
        end[end.count - 1] += 1
        let count = Self.place(of: String(decoding: end, as: UTF8.self), in: all) - start
        let taken = count > most ? (orNone ? 0 : most) : count
        let few = all[..<(start + taken)] + all[(start + count)...]
        return (few.map { $0.read() }, count - taken)
    }

    package var ids: [String] { entries.withLock { $0.map(\.id) } }

    package func reading(_ id: String) -> GateReading? { entry(id)?.read() }

    /// - Returns: false when there is no such gate.
    package func order(_ order: Order, _ id: String) -> Bool {
        guard let entry = entry(id) else { return false }
        entry.order(order)
        return true
    }

    private func entry(_ id: String) -> Entry? {
        entries.withLock { entries in
            let place = Self.place(of: id, in: entries)
            return place < entries.count && entries[place].id == id ? entries[place] : nil
        }
    }

    /// Of the first entry that is not before this id.
    private static func place(of id: String, in entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
