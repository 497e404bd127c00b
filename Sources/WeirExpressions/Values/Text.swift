#if canImport(Glibc)
    import Glibc
#endif

/// Strings as CEL sees them: sequences of code points. Swift's own comparison works by canonical equivalence, under
/// which `"é"` in its two spellings is one string; everything here goes by the UTF-8 bytes, whose order is the code
/// points' order.
enum Text {
    @inline(__always)
    static func withBytes<R>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        if let result = text.utf8.withContiguousStorageIfAvailable(body) { return result }
        return Array(text.utf8).withUnsafeBufferPointer(body)
    }

    static func areEqual(_ left: String, _ right: String) -> Bool {
        withBytes(left) { a in
            withBytes(right) { b in
                guard a.count == b.count else { return false }
                guard let first = a.baseAddress, let second = b.baseAddress else { return true }
                return memcmp(first, second, a.count) == 0
            }
        }
    }

    static func order(_ left: String, _ right: String) -> Order {
        withBytes(left) { a in
            withBytes(right) { b in
                if let first = a.baseAddress, let second = b.baseAddress {
                    let result = memcmp(first, second, min(a.count, b.count))
                    if result != 0 { return result < 0 ? .less : .greater }
                }
                return .of(a.count, b.count)
            }
        }
    }

    static func hash(_ text: String, into hasher: inout Hasher) {
        withBytes(text) { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// Length in code points.
    static func length(_ text: String) -> Int {
        withBytes(text) { bytes in
            var count = 0
            for byte in bytes where byte & 0xC0 != 0x80 { count += 1 }
            return count
        }
    }

    /// Where `needle` begins in `text`, as a byte offset at or after `start`.
    static func find(_ needle: String, in text: String, from start: Int = 0) -> Int? {
        withBytes(text) { hay in withBytes(needle) { find($0, in: hay, from: start) } }
    }

    static func find(
        _ needle: UnsafeBufferPointer<UInt8>, in hay: UnsafeBufferPointer<UInt8>, from start: Int
    ) -> Int? {
        guard start >= 0, start <= hay.count, needle.count <= hay.count - start else { return nil }
        guard let wanted = needle.baseAddress, needle.count > 0 else { return start }
        guard let base = hay.baseAddress else { return nil }
        let first = wanted[0]
        var at = start
        let last = hay.count - needle.count
        while at <= last {
            guard let hit = memchr(base + at, Int32(first), last - at + 1) else { return nil }
            at = base.distance(to: hit.assumingMemoryBound(to: UInt8.self))
            if memcmp(base + at, wanted, needle.count) == 0 { return at }
            at += 1
        }
        return nil
    }

    static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
        withBytes(text) { a in
            withBytes(prefix) { b in
                guard a.count >= b.count else { return false }
                guard let first = a.baseAddress, let second = b.baseAddress else { return true }
                return memcmp(first, second, b.count) == 0
            }
        }
    }

    static func hasSuffix(_ text: String, _ suffix: String) -> Bool {
        withBytes(text) { a in
            withBytes(suffix) { b in
                guard a.count >= b.count else { return false }
                guard let first = a.baseAddress, let second = b.baseAddress else { return true }
                return memcmp(first + (a.count - b.count), second, b.count) == 0
            }
        }
    }

    /// The text as an array of code points, for functions that index by position.
    static func scalars(_ text: String) -> [Unicode.Scalar] { Array(text.unicodeScalars) }

    static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }
}
