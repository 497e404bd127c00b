internal import NIOCore

/// Tells bundles apart by their bytes, within one process: two keyed hashes and the length, so that two different
/// bundles are never taken for one.
struct BundleMark: Sendable, Hashable {
    private var first: Int
    private var second: Int
    private var length: Int

    /// Takes the bytes as they come.
    struct Maker: Sendable {
        // SipHash, with a key of the process; the second one begins with something else.
        private var first = Hasher()
        private var second = Hasher()
        private var length = 0

        init() { second.combine(0x9E37_79B9) }

        mutating func feed(_ bytes: ByteBuffer) {
            bytes.withUnsafeReadableBytes { bytes in
                first.combine(bytes: bytes)
                second.combine(bytes: bytes)
            }
            length += bytes.readableBytes
        }

        func mark() -> BundleMark {
            BundleMark(first: first.finalize(), second: second.finalize(), length: length)
        }
    }
}
