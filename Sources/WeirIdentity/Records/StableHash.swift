/// A 64-bit hash that is the same in every process, for comparing records by number and for tables of keys. Not for
/// secrets: who can choose both texts can make them collide.
///
/// Eight bytes at a time are multiplied into 128 bits, whose halves are folded together: one multiplication for each
/// word, and every bit of the input reaches every bit of the state.
package enum StableHash {
    private static let seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let factor: UInt64 = 0xD6E8_FEB8_6659_FD93

    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// - Parameter start: the hash of what stands before, to go on.
    package static func of(_ bytes: UnsafeRawBufferPointer, from start: UInt64 = 0) -> UInt64 {
        var state = seed ^ start ^ UInt64(truncatingIfNeeded: bytes.count)
        var at = 0
        while at + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            state = fold(state ^ word, factor) &+ seed
            at += 8
        }
        var last: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count {
            last |= UInt64(bytes[at]) << shift
            shift += 8
            at += 1
        }
        state = fold(state ^ last, factor ^ UInt64(truncatingIfNeeded: bytes.count))
        return fold(state ^ (state >> 29), seed | 1)
    }

    package static func of(_ text: String, from start: UInt64 = 0) -> UInt64 {
        var text = text
        return text.withUTF8 { of(UnsafeRawBufferPointer($0), from: start) }
    }
}
