import WeirWorld

/// Which slot is due next: a binary heap that knows where each slot stands in it, so that one can be moved or taken
/// out. Every operation takes O(log n); no garbage is left behind by those that change their mind.
struct DueHeap: Sendable {
    private struct Item {
        var due: Moment
        var slot: Int
    }

    private var items: [Item] = []
    /// Slot to place in `items`; -1 where it is not in it.
    private var places: [Int] = []

    var count: Int { items.count }
    var first: (due: Moment, slot: Int)? { items.first.map { ($0.due, $0.slot) } }

    func due(of slot: Int) -> Moment? {
        guard slot < places.count, places[slot] >= 0 else { return nil }
        return items[places[slot]].due
    }

    /// Puts a slot in, or moves it.
    mutating func set(_ slot: Int, due: Moment) {
        while places.count <= slot { places.append(-1) }
        let place = places[slot]
        if place < 0 {
            places[slot] = items.count
            items.append(Item(due: due, slot: slot))
            rise(from: items.count - 1)
        } else {
            let isEarlier = due < items[place].due
            items[place].due = due
            if isEarlier { rise(from: place) } else { sink(from: place) }
        }
    }

    mutating func remove(_ slot: Int) {
        guard slot < places.count, places[slot] >= 0 else { return }
        let place = places[slot]
        let last = items.count - 1
        if place != last { swap(place, last) }
        items.removeLast()
        places[slot] = -1
        guard place != last else { return }
        rise(from: place)
        sink(from: place)
    }

    private func isBefore(_ left: Item, _ right: Item) -> Bool { (left.due, left.slot) < (right.due, right.slot) }

    private mutating func swap(_ left: Int, _ right: Int) {
        items.swapAt(left, right)
        places[items[left].slot] = left
        places[items[right].slot] = right
    }

    private mutating func rise(from start: Int) {
        var place = start
        while place > 0 {
            let above = (place - 1) / 2
            guard isBefore(items[place], items[above]) else { return }
            swap(place, above)
            place = above
        }
    }

    private mutating func sink(from start: Int) {
        var place = start
        while true {
            let left = 2 * place + 1
            guard left < items.count else { return }
            let right = left + 1
            let below = right < items.count && isBefore(items[right], items[left]) ? right : left
            guard isBefore(items[below], items[place]) else { return }
            swap(place, below)
            place = below
        }
    }
}
