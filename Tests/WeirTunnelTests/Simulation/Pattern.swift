import NIOCore
import WeirWorld

/// Bytes that tell where they belong: a byte that was lost, doubled or moved is found at once.
struct Pattern {
    private static let period = 65_521
    private static let block: ByteBuffer = {
        var chance = SplitMix(seed: 7)
        let one = (0..<period).map { _ in UInt8.random(in: 0...255, using: &chance) }
        return ByteBuffer(bytes: one + one + one + one)
    }()

    /// Where the stream begins in the block.
    var offset: Int

    /// - Parameter length: 128 KiB at the most.
    func bytes(from position: Int, length: Int) -> ByteBuffer {
        Self.block.getSlice(at: (position + offset) % Self.period, length: length) ?? ByteBuffer()
    }
}

/// Chance of one run, shared by all who take part in it.
final class Chance {
    var generator: SplitMix
    init(seed: UInt64) { generator = SplitMix(seed: seed) }
}
