import WeirFlow
import WeirGates
import WeirWorld

/// One batch that the chain holds, with all that must be known of it until it is settled.
struct Parcel: Sendable {
    /// Rises in the order of taking (in memory) or of the queue (from disk).
    var id: UInt64
    var batch: Batch
    /// `nil` once it was settled: the disk has it.
    var receipt: Receipt?
    /// Sends that failed for it.
    var attempts = 0
    var taken: Moment
    /// True where the disk queue has it too, from position `id` to `end`.
    var isOnDisk = false
    var end: UInt64 = 0
}

/// What a worker takes along: some parcels for one endpoint. Without parcels it is a probe that only opens the
/// endpoint.
struct Shipment: Sendable {
    var endpoint: Int
    var destination: any Destination
    var opensFirst: Bool
    var parcels: [Parcel]
    var events: Int
    var bytes: Int
    /// Largest piece to send at once: a parcel that is larger is cut.
    var piece: Int
    var generation: Int
    var started: Moment
    var deadlineAfter: Duration
}

/// What became of a shipment. Events are counted through all its parcels.
struct ShipmentOutcome: Sendable {
    enum Left: Sendable {
        case none
        case all
        /// True for each event that must be sent again.
        case some([Bool])
    }
    var left = Left.none
    var deadLettered = 0
    var dropped: [String: Int] = [:]
    /// Why the last piece failed, when one did.
    var failure: DeliveryFailure?
    /// Why some items were postponed by a receiver that answered.
    var postponed: Reason?
    var pause: Duration?
    /// Sends made.
    var attempts = 0
}
