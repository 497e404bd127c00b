internal import WeirFlow
internal import WeirGates
internal import WeirWorld

/// Hands batches of senders that can wait to the routes, and counts them.
struct Handing: Sendable {
    let intake: any Intake
    let meter: SourceMeter
    let world: World

    /// Largest batch handed on; a connection that closes may leave several megabytes at once.
    static let batchMost = 1 << 20

    func hand(_ batch: Batch) async {
        for piece in batch.pieces(ofAtMost: Handing.batchMost) { await handPiece(piece) }
    }

    private func handPiece(_ batch: Batch) async {
        while true {
            do throws(IntakeRefusal) {
                _ = try await meter.waiting(world.time) { () async throws(IntakeRefusal) in
                    try await intake.accept(batch, deadline: nil)
                }
                meter.took(events: batch.count, bytes: batch.byteCount)
                return
            } catch {
                guard case .full(_, let retryAfter) = error,
                    (try? await world.time.sleep(for: min(retryAfter ?? .seconds(1), .seconds(30)))) != nil
                else {
                    // The sender cannot be told: what TCP has delivered is gone when Weir is stopped by force.
                    meter.dropped(batch.count, code: "stopped")
                    return
                }
            }
        }
    }
}

extension Batch {
    /// Runs of whole events of at most `most` bytes each; a longer event stands alone.
    func pieces(ofAtMost most: Int) -> [Batch] {
        guard byteCount > most, count > 1 else { return isEmpty ? [] : [self] }
        var pieces: [Batch] = []
        var first = 0
        var start = 0
        for index in 0..<count where Int(ends[index]) - start > most && index > first {
            pieces.append(slice(first..<index))
            first = index
            start = Int(ends[index - 1])
        }
        pieces.append(slice(first..<count))
        return pieces
    }
}
