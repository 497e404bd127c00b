import NIOCore
import WeirFlow
import WeirGates

/// A body that is written event by event, because each has an envelope or a text of its own.
struct EventwiseBody {
    private(set) var bytes = ByteBuffer()
    /// Which event of the batches the n-th thing in the body is.
    private(set) var indices: [Int] = []
    /// Events that an expression failed for: nothing of them is in the body.
    private(set) var failed: [(index: Int, reason: Reason)] = []

    /// - Parameters:
    ///   - overhead: bytes that are added to each event, about.
    ///   - prepare: what all events of a batch share.
    init<Common>(
        _ batches: [Batch], overhead: Int, prepare: (Batch) -> Common,
        write: (UnsafeRawBufferPointer, Batch, Common, inout ByteBuffer) throws(EventText.Failure) -> Void
    ) {
        bytes.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount + $1.count * overhead })
        indices.reserveCapacity(batches.reduce(0) { $0 + $1.count })
        var base = 0
        for batch in batches {
            let common = prepare(batch)
            batch.slab.withUnsafeReadableBytes { all in
                for index in 0..<batch.count {
                    let start = bytes.writerIndex
                    do throws(EventText.Failure) {
                        try write(
                            UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)]), batch, common, &bytes)
                        indices.append(base + index)
                    } catch {
                        bytes.moveWriterIndex(to: start)
                        failed.append((base + index, Reason("expression_failed", error.sentence)))
                    }
                }
            }
            base += batch.count
        }
    }

    /// The events that failed here and those that the receiver refused, in order.
    func rejected(_ refused: [(index: Int, reason: Reason)] = []) -> [(index: Int, reason: Reason)] {
        refused.isEmpty ? failed : (failed + refused).sorted { $0.index < $1.index }
    }
}
