import DequeModule
import WeirFlow
import WeirGates
import WeirWorld

extension DeliveryState {
    /// When something is tried next; `nil` when nothing rests.
    func nextAttempt(at now: Moment) -> Moment? {
        let rest = usable.compactMap(\.breaker.nextAttempt).min()
        if let pause, pause.until > now { return max(pause.until, rest ?? pause.until) }
        return rest
    }

    /// True where nothing is in memory.
    var isIdle: Bool { waiting.isEmpty && inFlight == 0 && writing.isEmpty }

    var heldEvents: Int64 {
        var events = disk?.events ?? 0
        for parcel in waiting where !parcel.isOnDisk { events += Int64(parcel.batch.count) }
        for parcel in writing { events += Int64(parcel.batch.count) }
        for case let shipment? in slots {
            for parcel in shipment.parcels where !parcel.isOnDisk { events += Int64(parcel.batch.count) }
        }
        return events
    }

    /// At the end, when nobody works any more: what is in memory, to be written.
    mutating func takeRest() -> [Parcel] {
        for case let shipment? in slots { putBack(shipment.parcels.filter { !$0.isOnDisk }) }
        slots = Array(repeating: nil, count: slots.count)
        inFlight = 0
        let parcels = Array(waiting)
        waiting = []
        writing += parcels
        return parcels
    }

    /// At the end: what is in memory and not on disk is nobody's.
    mutating func abandon() -> [Receipt] {
        var receipts: [Receipt] = []
        func lose(_ parcel: Parcel) {
            if let receipt = parcel.receipt { receipts.append(receipt) }
            drop(parcel.batch.count, code: "stopped")
            leftBytes &+= UInt64(parcel.batch.byteCount)
        }
        for parcel in waiting { lose(parcel) }
        waiting = []
        for parcel in writing { lose(parcel) }
        writing = []
        for case let shipment? in slots { for parcel in shipment.parcels where !parcel.isOnDisk { lose(parcel) } }
        slots = Array(repeating: nil, count: slots.count)
        inFlight = 0
        return receipts
    }
}
