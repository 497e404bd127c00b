import WeirExpressions

#if canImport(Glibc)
    import Glibc
#endif

/// Which objects have which join keys: keys by hash in open addressing, their texts kept once so that equal hashes of
/// unlike keys are told apart. No dictionary and no object for each key: 1.5 million keys take about 60 MB while the
/// graph is made, and nothing afterwards.
struct JoinTable {
    private struct Key {
        var hash: UInt64
        var start: Int
        var length: Int
        /// The first object that had it.
        var first: UInt32
        /// Kinds that have it, one bit each.
        var kinds: UInt64
        var isDisputed: Bool
    }

    private var keys: [Key] = []
    private var texts: [UInt8] = []
    /// Number of a key + 1, by hash; 0 is free.
    private var table: [UInt32]
    private var mask: Int
    /// Every mention of a key by an object.
    private(set) var mentions: [(object: UInt32, key: UInt32)] = []

    init(expecting count: Int) {
        var size = 1 << 10
        while size < count * 2 { size <<= 1 }
        table = Array(repeating: 0, count: size)
        mask = size - 1
        keys.reserveCapacity(count)
        mentions.reserveCapacity(count)
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer, group: UInt64, object: UInt32, kind: Int) {
        guard !bytes.isEmpty else { return }
        let hash = StableHash.of(bytes, from: group)
        var at = Int(truncatingIfNeeded: hash) & mask
        while table[at] != 0 {
            let number = Int(table[at]) - 1
            if keys[number].hash == hash, isText(keys[number], bytes) {
                mention(number, object, kind)
                return
            }
            at = (at + 1) & mask
        }
        keys.append(
            Key(hash: hash, start: texts.count, length: bytes.count, first: object, kinds: 0, isDisputed: false))
        texts.append(contentsOf: bytes)
        table[at] = UInt32(truncatingIfNeeded: keys.count)
        mention(keys.count - 1, object, kind)
        if keys.count * 10 > table.count * 7 { grow() }
    }

    private mutating func mention(_ number: Int, _ object: UInt32, _ kind: Int) {
        // The same object may say the same key twice (two joins of one group).
        if let last = mentions.last, last.object == object, Int(last.key) == number { return }
        let bit = UInt64(1) << UInt64(kind & 63)
        if keys[number].kinds & bit != 0 { keys[number].isDisputed = true }
        keys[number].kinds |= bit
        mentions.append((object, UInt32(truncatingIfNeeded: number)))
    }

    private func isText(_ key: Key, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard key.length == bytes.count else { return false }
        return texts.withUnsafeBytes { all in
            guard let left = all.baseAddress, let right = bytes.baseAddress else { return true }
            return memcmp(left + key.start, right, key.length) == 0
        }
    }

    private mutating func grow() {
        var larger = Array(repeating: UInt32(0), count: table.count * 2)
        mask = larger.count - 1
        for (number, key) in keys.enumerated() {
            var at = Int(truncatingIfNeeded: key.hash) & mask
            while larger[at] != 0 { at = (at + 1) & mask }
            larger[at] = UInt32(truncatingIfNeeded: number + 1)
        }
        table = larger
    }

    func first(of key: UInt32) -> UInt32 { keys[Int(key)].first }
    func isDisputed(_ key: UInt32) -> Bool { keys[Int(key)].isDisputed }

    func text(of key: UInt32) -> String {
        let key = keys[Int(key)]
        return String(decoding: texts[key.start..<(key.start + key.length)], as: UTF8.self)
    }
}

/// Which objects are one: joined sets with path halving.
struct UnionFind {
    private var parents: [UInt32]

    init(count: Int) { parents = (0..<count).map { UInt32(truncatingIfNeeded: $0) } }

    mutating func root(_ object: UInt32) -> UInt32 {
        var at = object
        while parents[Int(at)] != at {
            parents[Int(at)] = parents[Int(parents[Int(at)])]
            at = parents[Int(at)]
        }
        return at
    }

    /// The smaller number leads, so that the answer does not depend on the order of joining.
    mutating func join(_ one: UInt32, _ other: UInt32) {
        let (a, b) = (root(one), root(other))
        if a < b { parents[Int(b)] = a } else { parents[Int(a)] = b }
    }
}
