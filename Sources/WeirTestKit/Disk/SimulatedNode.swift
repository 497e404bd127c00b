import WeirWorld

/// A file of the simulated disk, under whatever name. Touched only while the disk's state is locked.
final class SimulatedNode {
    let number: UInt64
    var content: [UInt8] = []
    /// What a crash leaves at least.
    var durable: [UInt8] = []
    var changes: [Change] = []
    /// Reads that touch it fail, until it is written over.
    var unreadable: Range<Int>?

    init(number: UInt64) { self.number = number }

    enum Change {
        case write(Int, [UInt8])
        case truncate(Int)
    }

    /// Takes a change as the page cache does.
    func write(_ change: Change) {
        SimulatedNode.apply(change, to: &content) { true }
        changes.append(change)
        if case .write(let offset, let bytes) = change, let bad = unreadable, offset <= bad.lowerBound,
            bad.upperBound <= offset + bytes.count
        {
            unreadable = nil
        }
    }

    /// Makes everything durable.
    func sync() {
        for change in changes { SimulatedNode.apply(change, to: &durable) { true } }
        changes = []
    }

    /// Forgets what was not synced; which sectors survive is one of four moods.
    func lose(_ random: inout SplitMix) {
        let mood = random.next() % 4
        let cut = changes.isEmpty ? 0 : Int(random.next() % UInt64(changes.count + 1))
        for (index, change) in changes.enumerated() {
            switch mood {
            case 0: continue
            case 1: SimulatedNode.apply(change, to: &durable) { true }
            case 2:
                if index < cut { SimulatedNode.apply(change, to: &durable) { true } }
                if index == cut { SimulatedNode.apply(change, to: &durable) { random.next() % 2 == 0 } }
            default: SimulatedNode.apply(change, to: &durable) { random.next() % 2 == 0 }
            }
        }
        changes = []
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8], keeps: () -> Bool) {
        switch change {
        case .truncate(let length):
            guard keeps() else { return }
            resize(&bytes, length)
        case .write(let offset, let piece):
            var start = 0
            while start < piece.count {
                let end = min(piece.count, start + 512 - (offset + start) % 512)
                if keeps() {
                    if bytes.count < offset + end { resize(&bytes, offset + end) }
                    bytes.replaceSubrange((offset + start)..<(offset + end), with: piece[start..<end])
                }
                start = end
            }
        }
    }

    private static func resize(_ bytes: inout [UInt8], _ length: Int) {
        if bytes.count > length {
            bytes.removeLast(bytes.count - length)
        } else {
            bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
        }
    }
}
