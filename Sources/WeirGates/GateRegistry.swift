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
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].id < entry.id { low = middle + 1 } else { high = middle }
            }
            if low < entries.count, entries[low].id == entry.id {
                entries[low] = entry
            } else {
                entries.insert(entry, at: low)
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

    /// Every `parts`-th gate from the one with the number `part` on: for a look at a few where there are very many.
    package func readings(part: Int, of parts: Int) -> [GateReading] {
        let entries = entries.withLock { $0 }
        return stride(from: part, to: entries.count, by: max(1, parts)).map { entries[$0].read() }
    }

    package var count: Int { entries.withLock { $0.count } }
    package var ids: [String] { entries.withLock { $0.map(\.id) } }

    package func reading(_ id: String) -> GateReading? { entry(id)?.read() }

    /// - Returns: false when there is no such gate.
    package func order(_ order: Order, _ id: String) -> Bool {
        guard let entry = entry(id) else { return false }
        entry.order(order)
        return true
    }

    private func entry(_ id: String) -> Entry? { entries.withLock { $0.first { $0.id == id } } }
}
