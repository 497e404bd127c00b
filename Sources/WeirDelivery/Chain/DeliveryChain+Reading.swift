import DequeModule
internal import Logging
import Synchronization
import WeirFlow
package import WeirGates
import WeirStore
import WeirWorld

extension DeliveryChain {
    /// The gate and all that `weir why` says of it.
    package var reading: GateReading {
        let now = world.time.now
        let wall = world.time.wall
        return shared.withLock { $0.reading(of: self, at: now, wall: wall) }
    }

    /// What is in memory, and how much may be; the gate's own level while nothing is on disk.
    package var memory: (bytes: Int, most: Int) { shared.withLock { ($0.state.level, $0.state.bufferMost) } }

    /// One endpoint, for people.
    package struct EndpointReading: Sendable, Hashable {
        package var name: String
        package var weight: Int
        /// `closed` (works), `open` (rests after failures) or `half_open` (one probe).
        package var breaker: String
        package var inFlight: Int
        /// Present adaptive limit of sends in flight.
        package var concurrency: Int
        package var sentEvents: UInt64
        package var trouble: Reason?
    }

    package var endpoints: [EndpointReading] {
        shared.withLock { shared in
            shared.state.endpoints.map { endpoint in
                EndpointReading(
                    name: endpoint.name, weight: endpoint.weight, breaker: endpoint.breaker.word,
                    inFlight: endpoint.inFlight,
                    concurrency: shape.isOrdered ? 1 : endpoint.limit.current, sentEvents: endpoint.sentEvents,
                    trouble: endpoint.trouble)
            }
        }
    }

    /// What a person asks for: `hold` stops sending, `release` ends a hold and a suspension and tries at once, with one
    /// send.
    package func order(_ order: GateRegistry.Order) {
        change { shared, _, _ in
            switch order {
            case .hold(let by):
                shared.state.heldBy = Reason("held", "Held by \(by).")
            case .release:
                shared.state.heldBy = nil
                shared.state.pause = nil
                if shared.state.suspended != nil {
                    shared.state.suspended = nil
                    shared.state.isTrial = true
                }
                for place in shared.state.endpoints.indices { shared.state.endpoints[place].breaker.release() }
            }
        }
    }

    static func gone(_ name: String) -> GateReading {
        GateReading(
            id: name, kind: .stream, state: .unknown, reason: Reason("gone", "The destination was removed."),
            since: WallTime(nanoseconds: 0), level: nil, limit: Limit(1, .bytes), reopens: "never", receiver: name)
    }

    func queueReading(_ state: DeliveryState) -> GateReading.QueueReading? {
        guard let own = settings.queueInUse, let queue else { return nil }
        let level = queue.level
        return GateReading.QueueReading(
            mode: own.mode.rawValue, bytes: level.bytes, events: level.events, maxBytes: own.maxSize.bytes,
            oldest: level.oldest, segments: level.segments, isEngaged: state.spill?.isEngaged ?? false,
            trouble: state.disk?.trouble)
    }

    // MARK: Log

    func log(_ transition: Gate.Transition) {
        world.log.notice(
            "A gate changed.",
            metadata: [
                "gate": "\(name)", "gate.from": "\(transition.from.rawValue)", "gate.to": "\(transition.to.rawValue)",
                "reason": "\(transition.reason.code)", "reason.text": "\(transition.reason.sentence)",
                "reopens": "\(reading.reopens)",
            ])
    }

    func log(_ change: SpillState.Change) {
        switch change {
        case .engaged(let reason):
            world.log.notice(
                "A disk queue engaged.",
                metadata: ["gate": "\(name)", "reason": "\(reason.code)", "reason.text": "\(reason.sentence)"])
        case .cleared:
            world.log.notice("A disk queue is empty; events pass through memory again.", metadata: ["gate": "\(name)"])
        }
    }

    func log(_ after: DeliveryState.Aftermath) {
        if let down = after.endpointDown {
            world.log.info(
                "An endpoint failed and rests.",
                metadata: [
                    "destination": "\(name)", "endpoint": "\(down.name)", "error.kind": "\(down.reason.code)",
                    "error.text": "\(down.reason.sentence)", "retry.attempt": "\(down.failures)",
                    "retry.after": "\(down.wait.shortText)",
                ])
        }
        if let name = after.endpointUp {
            world.log.info(
                "An endpoint works again.", metadata: ["destination": "\(self.name)", "endpoint": "\(name)"])
        }
    }
}

extension DeliveryChain.Shared {
    func reading(of chain: DeliveryChain, at now: Moment, wall: WallTime) -> GateReading {
        // Judged anew, on a copy: what is full now says so with what is in flight now.
        var fresh = state
        _ = fresh.observe(at: now, wall: wall)
        let gate = state.gate
        let reason = fresh.gate.state == gate.state ? fresh.gate.reason : gate.reason
        let queue = chain.queueReading(state)
        var counters = state.counters
        counters.heldEvents = state.heldEvents
        let rateIn = state.rateIn.rate(at: now)
        let rateOut = state.rateOut.rate(at: now)
        var details = [
            GateReading.Detail("in memory", state.heldText),
            GateReading.Detail("in flight", "\(state.inFlight) of \(state.shape.concurrency) sends"),
            GateReading.Detail("comes in", "\(ByteCount(Int64(rateIn)).shortText)/s"),
            GateReading.Detail("goes out", "\(ByteCount(Int64(rateOut)).shortText)/s"),
            GateReading.Detail(
                "endpoints", "\(state.usable.count { $0.breaker.isClosed }) of \(state.usable.count) work"),
        ]
        if !waiters.isEmpty { details.append(GateReading.Detail("senders waiting", "\(waiters.count)")) }
        for endpoint in state.usable where !endpoint.breaker.isClosed {
            guard let trouble = endpoint.breaker.reason else { continue }
            // Most sentences begin with the endpoint's name.
            let said = trouble.sentence.contains(endpoint.name)
            details.append(
                GateReading.Detail(
                    "endpoint",
                    "\(said ? "" : endpoint.name + ": ")\(trouble.sentence) Failed attempts: "
                        + "\(endpoint.breaker.failures)."))
        }
        let forecast = forecast(disk: chain.queue?.level, maxBytes: queue?.maxBytes, rateIn, rateOut, at: now)
        let spilled = queue.flatMap { $0.isEngaged ? $0 : nil }
        return GateReading(
            id: chain.name, kind: .stream, state: gate.state, reason: reason, since: gate.since,
            level: spilled?.bytes ?? gate.level,
            limit: spilled.map { Limit(max(1, $0.maxBytes), .bytes, origin: chain.queueLimitOrigin) } ?? gate.limit,
            reopens: reopens(at: now), details: details, senders: chain.senders, receiver: chain.name,
            counters: counters, queue: queue, forecast: forecast, latency: latency, latencyBuckets: state.latency)
    }

    /// At the present speeds: of the disk queue while it is engaged, else of the memory buffer.
    private func forecast(
        disk: QueueLevel?, maxBytes: Int64?, _ rateIn: Double, _ rateOut: Double, at now: Moment
    ) -> GateReading.Forecast {
        var forecast = GateReading.Forecast()
        if let disk, let maxBytes, disk.bytes > 0, state.spill?.isEngaged == true, var seen = state.disk {
            seen.saw(disk, at: now)
            if (seen.heldTrend.perSecond ?? 0) < -1 {
                forecast.drained = seen.heldTrend.time(for: -Double(disk.bytes))
            } else if (seen.fileTrend.perSecond ?? 0) > 1 {
                forecast.full = seen.fileTrend.time(for: Double(max(0, maxBytes - disk.diskBytes)))
            }
            return forecast
        }
        let level = Double(state.level)
        let room = max(0, Double(state.bufferMost) - level)
        let speed = rateIn - rateOut
        if speed > 1 { forecast.full = .milliseconds(Int64(min(1e12, room / speed * 1000))) }
        if speed < -1, level > 0 { forecast.drained = .milliseconds(Int64(min(1e12, level / -speed * 1000))) }
        return forecast
    }

    private var latency: (median: Double, high: Double)? {
        guard let median = state.latency.quantile(0.5), let high = state.latency.quantile(0.95) else { return nil }
        return (min(median, 60), min(high, 60))
    }

    func reopens(at now: Moment) -> String {
        func after(_ moment: Moment) -> String {
            let wait = max(.zero, moment - now).nanoseconds
            // Whole seconds, rounded up: what is read is a second old.
            return wait < 1_000_000_000 ? "within a second" : "in \((wait - 1) / 1_000_000_000 + 1) s"
        }
        switch state.gate.state {
        case .open, .filling: return "It is open."
        case .paused: return "When a person releases it."
        case .suspended:
            return "When a person releases it, after the destination was put right: `weir release \(state.name)`."
        case .unknown: return "When the level can be measured."
        case .blocking, .dropping, .queueing, .buffering: break
        }
        if state.disk?.trouble != nil {
            return
                "When there is room on the disk; next attempt \(state.disk?.retryAt.map(after) ?? "within a second")."
        }
        if let pause = state.pause, pause.until > now {
            return "When the pause that the receiver asked for is over: \(after(pause.until))."
        }
        let trouble = state.trouble(at: now)
        if let trouble, trouble.code.hasPrefix("dead_letter") {
            return
                "When the dead letters can be written; next attempt \(state.nextAttempt(at: now).map(after) ?? "now")."
        }
        if let next = state.nextAttempt(at: now), trouble != nil {
            return "When the receiver takes a batch; next attempt \(after(next))."
        }
        if trouble != nil { return "When the receiver takes a batch; an attempt is under way." }
        if state.gate.state == .queueing { return "When the queue is empty." }
        return "When less than \(ByteCount(Int64(state.bufferMost) * 3 / 4).shortText) (75 % of the limit) is held."
    }
}
