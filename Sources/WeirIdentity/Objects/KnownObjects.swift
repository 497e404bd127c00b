/// The objects that the store has of one kind, by the hashes of anchor and content: enough to tell, while a scan runs,
/// what is new, what changed and at the end what is missing, without asking the database for each. 32 bytes an object.
struct KnownObjects {
    enum Answer {
        case new, changed, same
        /// The scan had it before.
        case repeated
    }

    private struct Entry {
        var anchor: UInt64
        var content: UInt64
        /// In the store; 0 for one that this scan brought.
        var row: Int64
        var isSeen: Bool
        /// Missed by a scan before, not yet taken for deleted.
        var isMissing: Bool
    }

    private var entries: [Entry] = []
    private var table: [UInt32]
    private var mask: Int
    private(set) var live = 0
    private(set) var seen = 0

    init(expecting count: Int) {
        var size = 1 << 8
        while size < count * 2 { size <<= 1 }
        table = Array(repeating: 0, count: size)
        mask = size - 1
        entries.reserveCapacity(count)
    }

    private func place(of anchor: UInt64) -> Int {
        var at = Int(truncatingIfNeeded: anchor) & mask
        while table[at] != 0, entries[Int(table[at]) - 1].anchor != anchor { at = (at + 1) & mask }
        return at
    }

    mutating func add(anchor: UInt64, content: UInt64, row: Int64, isMissing: Bool) {
        live += 1
        insert(Entry(anchor: anchor, content: content, row: row, isSeen: false, isMissing: isMissing))
    }

    private mutating func insert(_ entry: Entry) {
        entries.append(entry)
        table[place(of: entry.anchor)] = UInt32(truncatingIfNeeded: entries.count)
        guard entries.count * 10 > table.count * 7 else { return }
        table = Array(repeating: 0, count: table.count * 2)
        mask = table.count - 1
        for (number, entry) in entries.enumerated() {
            table[place(of: entry.anchor)] = UInt32(truncatingIfNeeded: number + 1)
        }
    }

    /// The scan has an object.
    mutating func see(anchor: UInt64, content: UInt64) -> Answer {
        let place = place(of: anchor)
        guard table[place] != 0 else {
            insert(Entry(anchor: anchor, content: content, row: 0, isSeen: true, isMissing: false))
            seen += 1
            return .new
        }
        let at = Int(table[place]) - 1
        guard !entries[at].isSeen else { return .repeated }
        entries[at].isSeen = true
        seen += 1
        // One that was missed is written again, so that it is not missed any more.
        return entries[at].content == content && !entries[at].isMissing ? .same : .changed
    }

    /// Rows that the scan did not have.
    var missing: [Int64] { entries.lazy.filter { !$0.isSeen && $0.row > 0 }.map(\.row) }
    var missingCount: Int { live - entries.lazy.filter { $0.isSeen && $0.row > 0 }.count }
}
