import DequeModule
import WeirFlow
import WeirGates
import WeirWorld

extension DeliveryState {
    /// From where a shipment is filled.
    private enum Lane { case waiting, backlog }

    /// Something for the worker of `slot` to do, or `nil` when there is nothing that may be done now.
    mutating func nextShipment(for slot: Int, at now: Moment) -> Shipment? {
        lingerUntil = nil
        guard phase != .ended, !isPaused, pause.map({ now >= $0.until }) ?? true else { return nil }
        if let probe = nextOpening(at: now) {
            slots[slot] = probe
            return probe
        }
        guard inFlight < (isTrial ? 1 : shape.concurrency) || shape.isOrdered && !isTrial, let lane = nextLane(at: now)
        else {
            return nil
        }
        guard let place = chooseEndpoint(at: now) else { return nil }
        guard lane == .backlog || isWorthASend(at: now) else { return nil }
        var shipment = fill(from: lane, endpoint: endpoints[place], at: now)
        shipment.generation = endpoints[place].breaker.begin()
        endpoints[place].inFlight += 1
        inFlight += 1
        balancer.sent(shipment.bytes, to: endpoints[place].id)
        slots[slot] = shipment
        return shipment
    }

    // An endpoint is opened before its first send and after it was unreachable, by a shipment without parcels: so a
    // live batch never waits behind a connection attempt while another endpoint could take it.
    private mutating func nextOpening(at now: Moment) -> Shipment? {
        guard phase == .running || !waiting.isEmpty else { return nil }
        for place in endpoints.indices {
            let endpoint = endpoints[place]
            guard endpoint.needsOpen, !endpoint.isOpening, !endpoint.isRetired, endpoint.weight > 0,
                endpoint.inFlight == 0
            else { continue }
            guard endpoints[place].breaker.mayPass(at: now) else { continue }
            endpoints[place].isOpening = true
            endpoints[place].inFlight += 1
            inFlight += 1
            let generation = endpoints[place].breaker.begin()
            return Shipment(
                endpoint: endpoint.id, destination: endpoint.destination, opensFirst: true, parcels: [], events: 0,
                bytes: 0,
                piece: 1, generation: generation, started: now, deadlineAfter: shape.timeout)
        }
        return nil
    }

    private func nextLane(at now: Moment) -> Lane? {
        guard let spill, spill.isEngaged else { return waiting.isEmpty ? nil : .waiting }
        if !settings.strictOrdering, spill.mode != .always, !waiting.isEmpty { return .waiting }
        guard phase == .running, let disk, !disk.backlog.isEmpty else { return nil }
        if let drainTokens, drainTokens.amount < 0, tokens(at: now) < 0 { return nil }
        return .backlog
    }

    private mutating func chooseEndpoint(at now: Moment) -> Int? {
        for place in endpoints.indices {
            endpoints[place].breaker.tick(at: now)
            let allowed = shape.isOrdered ? 1 : endpoints[place].limit.current
            if endpoints[place].inFlight >= allowed { endpoints[place].wasBlocked = true }
        }
        let trialBusy = isTrial && inFlight > 0
        let id = balancer.choose(at: now) { id in
            guard !trialBusy, let endpoint = endpoints.first(where: { $0.id == id }), !endpoint.isRetired,
                !endpoint.needsOpen
            else { return .away }
            let allowed = shape.isOrdered ? 1 : endpoint.limit.current
            guard endpoint.inFlight < allowed else { return .away }
            switch endpoint.breaker.state {
            case .closed: return endpoint.wasBlocked ? .blocked : .ready
            case .open: return .away
            case .halfOpen(let isProbing, _): return isProbing || endpoint.inFlight > 0 ? .away : .blocked
            }
        }
        return id.flatMap { id in endpoints.firstIndex { $0.id == id } }
    }

    // A small batch waits for company only while another send is in flight, whose end wakes it: with nothing in flight
    // it goes at once, so lingering costs neither throughput nor the latency of a quiet stream.
    private mutating func isWorthASend(at now: Moment) -> Bool {
        guard shape.linger > .zero, !shape.isOrdered, inFlight > 0, phase == .running, let first = waiting.first else {
            return true
        }
        if first.attempts > 0 || now >= first.taken + shape.linger { return true }
        let enough = min(shape.bytesMost, Self.companyBytes, max(1, bufferMost / 4))
        var bytes = 0
        var events = 0
        for parcel in waiting {
            bytes += parcel.batch.byteCount
            events += parcel.batch.count
            if bytes >= enough || events >= shape.eventsMost { return true }
        }
        lingerUntil = first.taken + shape.linger
        return false
    }

    private mutating func fill(from lane: Lane, endpoint: Endpoint, at now: Moment) -> Shipment {
        let isProbe = !endpoint.breaker.isClosed || isTrial
        let bytesMost =
            isProbe ? min(ramp.bytes, DrainRamp.bytesFirst, shape.bytesMost) : min(ramp.bytes, shape.bytesMost)
        var parcels: [Parcel] = []
        var events = 0
        var bytes = 0
        while let next = lane == .waiting ? waiting.first : disk?.backlog.first {
            if let first = parcels.first {
                guard bytes + next.batch.byteCount <= bytesMost, events + next.batch.count <= shape.eventsMost,
                    next.batch.framing == first.batch.framing,
                    shape.joinsContexts || next.batch.context.isSame(as: first.batch.context)
                else { break }
            }
            parcels.append(next)
            events += next.batch.count
            bytes += next.batch.byteCount
            if lane == .waiting { waiting.removeFirst() } else { disk?.backlog.removeFirst() }
            if parcels.count >= 1_024 { break }
        }
        if lane == .backlog { spendTokens(events, at: now) }
        return Shipment(
            endpoint: endpoint.id, destination: endpoint.destination, opensFirst: false, parcels: parcels,
            events: events,
            bytes: bytes, piece: bytesMost, generation: 0, started: now, deadlineAfter: shape.timeout)
    }

    // The drain rate as a bucket of one second: it may run into debt by one shipment, and waits until that is paid.
    private func tokens(at now: Moment) -> Double {
        guard let drainTokens, let rate = settings.queueInUse?.drainRate else { return 1 }
        return min(Double(rate), drainTokens.amount + (now - drainTokens.at).inSeconds * Double(rate))
    }

    private mutating func spendTokens(_ events: Int, at now: Moment) {
        guard let rate = settings.queueInUse?.drainRate else { return }
        let amount = drainTokens == nil ? Double(rate) : tokens(at: now)
        drainTokens = (amount - Double(events), now)
    }
}

extension DeliverySettings {
    var strictOrdering: Bool { queueInUse?.strictOrdering ?? true }
}
