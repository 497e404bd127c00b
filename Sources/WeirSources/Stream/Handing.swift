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
        for piece in batch.cuts(bytes: Handing.batchMost, events: .max).map(batch.slice) { await handPiece(piece) }
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
