/// What an operator decides about one queue.
package struct QueueSettings: Sendable, Hashable {
    /// When an append counts as done.
    package enum Durability: Sendable, Hashable {
        /// After `fdatasync`; one sync serves all appends that wait.
        case commit
        /// After the write; synced at least this often. A power cut may take the last interval, a crash of Weir
        /// nothing.
        case interval(Duration)
        /// After the write; never synced. A power cut may take what the kernel had not written by itself (30 s and
        /// more).
        case memory
    }

    package enum Compression: UInt8, Sendable, Hashable {
        case none = 0
        case lz4 = 1
        /// Level 1.
        case zstd = 2
    }

    /// Names the queue in logs and thread names.
    package var name: String
    /// Files are closed at this size; 64 MB, from 64 KiB to 1 GB. A queue with a small `maxSize` uses an eighth of it,
    /// so that space is given back in useful pieces.
    package var segmentSize: Int
    /// Bytes on disk that `hasRoom` allows; 5 GB.
    package var maxSize: Int64
    package var durability: Durability
    package var compression: Compression
    /// Bytes that stay free on the file system: below it an append fails with `noSpace`, so that the rest of the
    /// machine (and the cursor) can still write. `nil`: a hundredth of the file system, at least 16 MiB and at most
    /// 1 GiB. 0 switches it off.
    package var minFree: Int64?
    /// What the reader may hold in memory ahead of the consumer, in bytes; 1 MiB.
    package var readAhead: Int

    package init(
        name: String = "queue", segmentSize: Int = 64_000_000, maxSize: Int64 = 5_000_000_000,
        durability: Durability = .commit,
        compression: Compression = .none, minFree: Int64? = nil, readAhead: Int = 1 << 20
    ) {
        self.name = name
        self.segmentSize = segmentSize
        self.maxSize = maxSize
        self.durability = durability
        self.compression = compression
        self.minFree = minFree
        self.readAhead = readAhead
    }

    /// What stays free on a file system of so many bytes.
    func reserve(of total: Int64) -> Int64 { minFree ?? min(max(total / 100, 16 << 20), 1 << 30) }

    var segmentSizeUsed: Int {
        let part = Int(clamping: max(maxSize / 8, 4 << 10))
        return min(max(min(segmentSize, part), 4 << 10), 1_000_000_000)
    }
}
