import DequeModule
import WeirFlow
import WeirGates
import WeirWorld

/// Everything a delivery chain knows and decides, as a value: what waits, what is in flight, how the endpoints are,
/// what the gate says. `DeliveryChain` carries out what it decides.
///
/// Where a parcel is, at any moment, exactly one of: `waiting` (memory), `writing` (on its way to disk), on disk (and
/// then perhaps also read back into `backlog`), in a worker's slot. `held` is computed from that, never counted.
struct DeliveryState: Sendable {
    enum Phase: Sendable, Hashable {
        /// Takes and delivers. Can become: `stopping`.
        case running
        /// Takes nothing more; delivers what is in memory. Can become: `ended`.
        case stopping
        /// Workers go home.
        case ended
    }

    /// The longest pause that a receiver may ask for. Source: research/destinations.md section 1.1.
    static let pauseMost = Duration.seconds(180)
    /// A batch that waits for company goes alone once it has this much.
    static let companyBytes = 262_144

    let name: String
    let settings: DeliverySettings
    let shape: DeliveryShape
    let bufferMost: Int
    /// Bytes of one parcel: what one send takes, and an eighth of the disk queue, which frees as much at a time.
    let parcelMost: Int

    var phase = Phase.running
    var gate: Gate
    var endpoints: [Endpoint] = []
    var balancer = Balancer()
    var ramp: DrainRamp
    var spill: SpillState?
    var disk: DiskState?

    var waiting = Deque<Parcel>()
    var writing: [Parcel] = []
    var slots: [Shipment?]

    /// The receiver asked for a pause.
    var pause: (until: Moment, reason: Reason)?
    var heldBy: Reason?
    var suspended: Reason?
    /// After a person's release: one send at a time until one has gone well.
    var isTrial = false
    /// Something found no room and was dropped, and there is still little.
    var isDropping = false
    /// A sender waits for room.
    var isWaitedFor = false

    var nextParcel: UInt64 = 1
    var nextEndpoint = 0
    /// Bytes that came into memory and that left it: the level is the difference.
    var enteredBytes: UInt64 = 0
    var leftBytes: UInt64 = 0
    var inFlight = 0
    var lingerUntil: Moment?
    var drainTokens: (amount: Double, at: Moment)?

    var counters = FlowCounters()
    var latency = LatencyBuckets()
    var rateIn = RateMeter()
    var rateOut = RateMeter()

    init(
        name: String, settings: DeliverySettings, shape: DeliveryShape, limitOrigin: String, workers: Int,
        at wall: WallTime
    ) {
        self.name = name
        self.settings = settings
        self.shape = shape
        bufferMost = max(1, settings.buffer.asInt)
        parcelMost = min(shape.bytesMost, settings.queueInUse.map { max(1, $0.maxSize.asInt / 8) } ?? .max)
        gate = Gate(limit: Limit(Int64(bufferMost), .bytes, origin: limitOrigin), at: wall)
        ramp = DrainRamp(bytesMost: shape.bytesMost)
        slots = Array(repeating: nil, count: workers)
    }

    /// Bytes in memory: waiting, being written, in flight.
    var level: Int { Int(clamping: enteredBytes &- leftBytes) }

    var isPaused: Bool { heldBy != nil || suspended != nil }

    var usable: [Endpoint] { endpoints.filter { !$0.isRetired && $0.weight > 0 } }

    /// True where something waits that could be sent.
    var hasWork: Bool { !waiting.isEmpty || !(disk?.isEmpty ?? true) }

    // MARK: Taking

    enum Entry: Sendable {
        case taken(Receipt)
        case dropped
        case full
    }

    /// Takes a batch into memory if there is room, or says what else becomes of it.
    mutating func enter(_ batch: Batch, at now: Moment) -> Entry {
        let size = batch.byteCount
        // What is in flight to a receiver that hangs may stay for its whole time limit. While the queue takes what
        // comes in, one batch at a time passes beside it on its way to the disk.
        let passes = waiting.isEmpty && writing.isEmpty && writesNew(at: now) && disk?.trouble == nil
        guard level == 0 || level + size <= bufferMost || passes else {
            guard settings.onBackpressure == .drop else { return .full }
            isDropping = true
            count(taken: batch)
            // What still fits is taken: one large batch must not be dropped whole for its last event.
            let fitting = batch.countFitting(bufferMost - level)
            drop(batch.count - fitting, code: gate.state.isHeld ? gate.reason.code : "buffer_full")
            return fitting == 0 ? .dropped : .taken(hold(batch.slice(0..<fitting).detached(), at: now))
        }
        count(taken: batch)
        return .taken(hold(batch, at: now))
    }

    private mutating func hold(_ batch: Batch, at now: Moment) -> Receipt {
        let size = batch.byteCount
        rateIn.add(size, at: now)
        enteredBytes &+= UInt64(size)
        guard size > parcelMost || batch.count > shape.eventsMost else { return queue(batch, at: now) }
        // More than one send takes goes as parcels of its own, each to whichever endpoint can take it; the sender's
        // receipt waits for all.
        let runs = batch.cuts(bytes: parcelMost, events: shape.eventsMost)
        return .joined(runs.map { queue(batch.slice($0), at: now) })
    }

    private mutating func queue(_ batch: Batch, at now: Moment) -> Receipt {
        let receipt = Receipt()
        waiting.append(Parcel(id: nextParcel, batch: batch, receipt: receipt, taken: now))
        nextParcel += 1
        return receipt
    }

    private mutating func count(taken batch: Batch) {
        counters.takenEvents &+= UInt64(batch.count)
        counters.takenBytes &+= UInt64(batch.byteCount)
    }

    mutating func drop(_ events: Int, code: String) {
        if events > 0 { counters.droppedEvents[code, default: 0] &+= UInt64(events) }
    }

    // MARK: Looking

    /// Why nothing can be sent now, whoever is to blame; `nil` when something can.
    func trouble(at now: Moment) -> Reason? {
        if let pause, now < pause.until { return pause.reason }
        let work = hasWork || inFlight > 0
        var first: Reason?
        for endpoint in endpoints where !endpoint.isRetired && endpoint.weight > 0 {
            guard endpoint.isTroubled(hasWork: work) else { return nil }
            if first == nil { first = endpoint.breaker.reason }
        }
        return first ?? (endpoints.isEmpty ? Reason("no_address", "No address of the receiver is known.") : nil)
    }

    /// Looks at the whole and lets gate and queue draw their conclusions.
    mutating func observe(at now: Moment, wall: WallTime) -> (gate: Gate.Transition?, spill: SpillState.Change?) {
        if let pause, now >= pause.until { self.pause = nil }
        // With nothing left to write, a disk that was full is nobody's trouble; the next write will tell.
        if let disk, disk.trouble != nil, waiting.isEmpty, writing.isEmpty, now >= disk.retryAt ?? now {
            self.disk?.worked()
        }
        let trouble = shape.canBackpressure ? trouble(at: now) : nil
        var change: SpillState.Change?
        if spill != nil {
            let seen = SpillState.Seen(
                trouble: heldBy ?? suspended ?? trouble, isHeld: isWaitedFor || gate.isAtLimit,
                // Full is also what has no room for the batch that waits.
                fill: isWaitedFor ? 1 : Double(level) / Double(bufferMost),
                isDiskEmpty: (disk?.isEmpty ?? true) && writing.isEmpty)
            change = spill?.observe(seen, at: now)
        }
        if isDropping, level * 4 < bufferMost * 3 { isDropping = false }
        let isFull = isWaitedFor || isDropping || level >= bufferMost
        let held: GateState =
            switch settings.onBackpressure {
            case .block: .blocking
            case .drop: isFull || gate.isAtLimit ? .dropping : .blocking
            case .queue: spill?.isEngaged == true && disk?.trouble == nil ? .queueing : .blocking
            }
        let seen = Gate.Observation(
            level: shape.canBackpressure ? Int64(isFull ? bufferMost : level) : 0,
            trouble: disk?.trouble ?? trouble, held: held, full: isFull || gate.isAtLimit ? fullReason : nil,
            isQueueing: spill?.isEngaged == true && spill?.mode != .always && !(disk?.isEmpty ?? true),
            paused: heldBy, suspended: suspended)
        let transition = gate.observe(seen, at: wall)
        if let transition {
            counters.transitions["\(transition.to.rawValue)/\(transition.reason.code)", default: 0] += 1
        }
        return (transition, change)
    }

    private var fullReason: Reason {
        let sizes = heldText
        if inFlight >= shape.concurrency && !shape.isOrdered {
            return Reason(
                "in_flight_limit",
                "\(inFlight) of \(shape.concurrency) sends are in flight, and \(sizes) are held in memory.")
        }
        return Reason("buffer_full", "The receiver is slower than the senders: \(sizes) are held in memory.")
    }

    /// `262 kB of 262 kB`: never more than all. What stands in the buffer although it is larger is said in words.
    var heldText: String {
        let text = "\(ByteCount(min(level, bufferMost)).shortText) of \(ByteCount(bufferMost).shortText)"
        return level <= bufferMost ? text : text + " (one batch of \(ByteCount(level).shortText) passes alone)"
    }

    /// When something changes by time alone.
    func nextWake(at now: Moment) -> Moment {
        var next = Moment.distantFuture
        func consider(_ moment: Moment?) { if let moment, moment > now, moment < next { next = moment } }
        consider(pause?.until)
        for endpoint in endpoints where !endpoint.isRetired { consider(endpoint.breaker.nextAttempt) }
        consider(spill?.engagesAt)
        consider(lingerUntil)
        consider(disk?.retryAt)
        if let tokens = drainTokens, tokens.amount < 0, let rate = settings.queueInUse?.drainRate {
            consider(tokens.at + .nanoseconds(Int64(-tokens.amount / Double(rate) * 1e9) + 1_000_000))
        }
        return next
    }
}
