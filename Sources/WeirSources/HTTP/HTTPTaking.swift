internal import WeirFlow
internal import WeirGates
internal import WeirWorld

/// Hands the batches of a request to the routes.
struct HTTPTaking: Sendable {
    let intake: any Intake
    let meter: SourceMeter
    let world: World
    /// How long a request waits for room at a stretch.
    let wait: Duration

    /// Hands the batches on, one after the other. What was taken before a refusal stays taken: the sender repeats the
    /// request, and those events arrive twice (at least once, never none).
    /// - Returns: the receipt for all that were taken, how many events that are, and why not all were.
    func take(_ batches: [Batch]) async -> (receipt: Receipt, events: Int, refusal: HTTPRefusal?) {
        var receipts: [Receipt] = []
        var events = 0
        for batch in batches {
            for piece in batch.cuts(bytes: Handing.batchMost, events: .max).map(batch.slice) {
                do throws(IntakeRefusal) {
                    let deadline = world.time.now + wait
                    let receipt = try await meter.waiting(world.time) { () async throws(IntakeRefusal) in
                        try await intake.accept(piece, deadline: deadline)
                    }
                    receipts.append(receipt)
                    events += piece.count
                    meter.took(events: piece.count, bytes: piece.byteCount)
                } catch {
                    let refusal: HTTPRefusal =
                        switch error {
                        case .full(_, let retryAfter): .busy(retryAfter: retryAfter)
                        case .stopped: .stopping
                        }
                    return (Receipt.joined(receipts), events, refusal)
                }
            }
        }
        return (Receipt.joined(receipts), events, nil)
    }
}
