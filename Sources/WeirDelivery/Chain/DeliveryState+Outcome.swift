import DequeModule
import WeirFlow
import WeirGates
import WeirWorld

extension DeliveryState {
    /// What is to be done after a shipment came back.
    struct Aftermath: Sendable {
        var settled: [Receipt] = []
        /// Disk parcels that are done, by their place in the queue.
        var acknowledged: [Range<UInt64>] = []
        /// A change of mind about one endpoint, for the log.
        var endpointDown: (name: String, reason: Reason, failures: Int, wait: Duration)?
        var endpointUp: String?
        var suspended: Reason?
    }

    /// Takes what became of a shipment: counts, frees, puts back what must be sent again, and judges the endpoint.
    mutating func finished(
        slot: Int, _ outcome: ShipmentOutcome, at now: Moment, random: any RandomSource
    ) -> Aftermath {
        var after = Aftermath()
        guard let shipment = slots[slot] else { return after }
        slots[slot] = nil
        inFlight -= 1
        if let place = endpoints.firstIndex(where: { $0.id == shipment.endpoint }) {
            judge(place, shipment, outcome, at: now, random: random, &after)
        }
        counters.attempts &+= UInt64(outcome.attempts)
        if let pause = outcome.pause {
            ask(
                pause,
                reason: outcome.failure?.reason ?? outcome.postponed
                    ?? Reason("receiver_pause", "The receiver asked for a pause."), at: now)
        }
        unload(shipment, outcome, at: now, &after)
        return after
    }

    // MARK: The endpoint

    private mutating func judge(
        _ place: Int, _ shipment: Shipment, _ outcome: ShipmentOutcome, at now: Moment, random: any RandomSource,
        _ after: inout Aftermath
    ) {
        let wasInFlight = endpoints[place].inFlight
        endpoints[place].inFlight -= 1
        if endpoints[place].inFlight == 0 { endpoints[place].wasBlocked = false }
        if shipment.opensFirst { endpoints[place].isOpening = false }
        defer { if endpoints[place].isRetired && endpoints[place].inFlight == 0 { endpoints.remove(at: place) } }

        let failure = outcome.failure ?? outcome.postponed.map { .busy($0) }
        guard let failure else {
            if shipment.opensFirst {
                endpoints[place].needsOpen = false
                endpoints[place].breaker.abandoned(generation: shipment.generation)
                return
            }
            if !endpoints[place].breaker.isClosed {
                endpoints[place].breaker.succeeded(generation: shipment.generation, at: now)
                if endpoints[place].breaker.isClosed {
                    endpoints[place].trouble = nil
                    after.endpointUp = endpoints[place].name
                }
            } else {
                endpoints[place].breaker.succeeded(generation: shipment.generation, at: now)
            }
            endpoints[place].limit.answered(after: now - shipment.started, inFlight: wasInFlight, at: now)
            ramp.succeeded()
            isTrial = false
            return
        }
        if case .cancelled = failure {
            endpoints[place].breaker.abandoned(generation: shipment.generation)
            return
        }
        counters.failures[failure.reason.code, default: 0] &+= 1
        endpoints[place].trouble = failure.reason
        if case .misconfigured(let reason) = failure {
            endpoints[place].breaker.abandoned(generation: shipment.generation)
            endpoints[place].needsOpen = true
            if suspended == nil {
                suspended = reason
                after.suspended = reason
            }
            isTrial = false
            return
        }
        guard shape.canBackpressure else {
            // A datagram that could not be sent: nothing to wait for, nothing to hold back (seeds/2: UDP never
            // triggers).
            if case .unreachable = failure { endpoints[place].needsOpen = true }
            endpoints[place].breaker.abandoned(generation: shipment.generation)
            if shipment.opensFirst { rest(place, shipment, failure, at: now, random: random, &after) }
            return
        }
        if case .unreachable = failure { endpoints[place].needsOpen = true }
        rest(place, shipment, failure, at: now, random: random, &after)
    }

    private mutating func rest(
        _ place: Int, _ shipment: Shipment, _ failure: DeliveryFailure, at now: Moment, random: any RandomSource,
        _ after: inout Aftermath
    ) {
        var wait: Duration?
        if case .busy(_, let retryAfter) = failure, let retryAfter {
            wait = min(max(retryAfter, .zero), Self.pauseMost)
            ask(retryAfter, reason: failure.reason, at: now)
        }
        let before = endpoints[place].breaker.generation
        endpoints[place].breaker.failed(
            failure.reason, generation: shipment.generation, wait: wait, at: now, random: random)
        endpoints[place].limit.refused(at: now)
        guard endpoints[place].breaker.generation != before else { return }
        endpoints[place].limit.restart()
        ramp.restart()
        let pause = endpoints[place].breaker.nextAttempt.map { $0 - now } ?? .zero
        after.endpointDown = (endpoints[place].name, failure.reason, endpoints[place].breaker.failures, pause)
    }

    /// Pauses the whole destination; the longer of two pauses counts.
    private mutating func ask(_ asked: Duration, reason: Reason, at now: Moment) {
        guard asked > .zero else { return }
        let until = now + min(asked, Self.pauseMost)
        if let pause, pause.until >= until { return }
        pause = (until, reason)
    }

    // MARK: The parcels

    private mutating func unload(
        _ shipment: Shipment, _ outcome: ShipmentOutcome, at now: Moment, _ after: inout Aftermath
    ) {
        counters.deadLetteredEvents &+= UInt64(outcome.deadLettered)
        for (code, count) in outcome.dropped { drop(count, code: code) }
        var left = outcome.left
        if !shape.canBackpressure, outcome.failure != nil, suspended == nil, outcome.failure != .cancelled,
            !shipment.parcels.isEmpty
        {
            let lost: Int
            switch left {
            case .none: lost = 0
            case .all: lost = shipment.events
            case .some(let flags): lost = flags.count { $0 }
            }
            drop(lost, code: outcome.failure?.reason.code ?? "send_failed")
            delivered(
                shipment.events - lost - outcome.deadLettered - outcome.dropped.values.reduce(0, +), shipment, at: now)
            left = .none
        } else {
            let again: Int
            switch left {
            case .none: again = 0
            case .all: again = shipment.events
            case .some(let flags): again = flags.count { $0 }
            }
            delivered(
                shipment.events - again - outcome.deadLettered - outcome.dropped.values.reduce(0, +), shipment, at: now)
        }
        var index = 0
        var returned: [Parcel] = []
        for parcel in shipment.parcels {
            let range = index..<(index + parcel.batch.count)
            index = range.upperBound
            let rest: Batch
            switch left {
            case .none: rest = parcel.batch.slice(0..<0)
            case .all: rest = parcel.batch
            case .some(let flags): rest = parcel.batch.selecting(flags[range])
            }
            let gone = parcel.batch.byteCount - rest.byteCount
            if parcel.isOnDisk { disk?.aheadBytes -= gone } else { leftBytes &+= UInt64(gone) }
            if parcel.isOnDisk {
                let events = UInt64(parcel.batch.count - rest.count)
                disk?.openEvents &-= events
                disk?.left(parcel.batch.count - rest.count)
            }
            if rest.isEmpty {
                if let receipt = parcel.receipt { after.settled.append(receipt) }
                if parcel.isOnDisk { after.acknowledged.append(parcel.id..<parcel.end) }
                latency.record((now - parcel.taken).inSeconds)
                continue
            }
            var again = parcel
            again.batch = rest
            if outcome.failure != .cancelled { again.attempts += 1 }
            returned.append(again)
        }
        putBack(returned)
    }

    private mutating func delivered(_ events: Int, _ shipment: Shipment, at now: Moment) {
        guard events > 0, shipment.events > 0 else { return }
        // Sizes of single events are not looked at: a part of a shipment counts as its part of the bytes.
        let bytes = events == shipment.events ? shipment.bytes : shipment.bytes * events / shipment.events
        counters.deliveredEvents &+= UInt64(events)
        counters.deliveredBytes &+= UInt64(bytes)
        rateOut.add(bytes, at: now)
        if let place = endpoints.firstIndex(where: { $0.id == shipment.endpoint }) {
            endpoints[place].sentEvents &+= UInt64(events)
        }
    }

    /// Back to the front of where they came from, in the order of taking.
    mutating func putBack(_ parcels: [Parcel]) {
        guard let first = parcels.first else { return }
        func insert(_ parcels: [Parcel], into lane: inout Deque<Parcel>) {
            var place = 0
            for parcel in parcels {
                while place < lane.count, lane[place].id < parcel.id { place += 1 }
                lane.insert(parcel, at: place)
                place += 1
            }
        }
        guard first.isOnDisk, var state = disk else { return insert(parcels, into: &waiting) }
        disk = nil
        insert(parcels, into: &state.backlog)
        disk = state
    }
}
