internal import NIOCore
internal import WeirFlow
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// One request's body on its way: unpacked, cut into batches, and handed on while more of it comes. Lives on its
/// connection's event loop.
///
/// Memory: what is gathered is handed on from 256 KB of whole events; while that is under way, up to 256 KB more are
/// gathered, and then `isHeld` says that nothing more is to be read, nor unpacked. Added to that is at most one event
/// that is not whole yet. Over the budget of all bodies, whatever is whole is handed on at once, and a body of which
/// nothing is whole is refused.
///
/// The answer is success when all batches are safe. After a failure in the middle the rest of the body is not taken;
/// the reading says what was kept, as its protocol has it.
final class HTTPUpload {
    enum Phase {
        /// Cuts what comes. Can become: `handing`, when all is cut or nothing more is wanted.
        case reading
        /// The last batches are on their way. Can become: `settling`, or `done` after a refusal.
        case handing
        /// Waits until what was handed on is safe. Can become: `done`.
        case settling
        case done
    }

    /// Larger batches do not cost less per event.
    static let handOverAt = 256 * 1_024
    private static let gatherMost = 256 * 1_024

    let call: HTTPCall
    private let door: any HTTPDoor
    private let shared: HTTPShared
    private let loop: any EventLoop
    private let executor: LoopExecutor
    private let decoder: CompressionDecoder?
    private let started: Moment
    private var reading: any HTTPReading
    private var outcome = HTTPOutcome()
    private var gathered = ByteBuffer()
    private var cutAt = HTTPUpload.handOverAt
    private var plainBytes = 0
    private var inFlight = 0
    private var counted = 0
    private var isReleased = false
    private var hasEnded = false
    /// All of the body is there.
    private(set) var isWhole = false
    private var task: Task<Void, Never>?
    private(set) var phase = Phase.reading
    /// Reading was held since somebody last asked: the sender is not to blame for being slow.
    private var wasHeld = false
    /// Something happened that the connection did not cause.
    var onChange: (() -> Void)?

    init(_ call: HTTPCall, _ door: any HTTPDoor, _ shared: HTTPShared, _ loop: any EventLoop, _ executor: LoopExecutor)
        throws(CompressionFailure)
    {
        self.call = call
        self.door = door
        self.shared = shared
        self.loop = loop
        self.executor = executor
        decoder = try call.coding.map { coding throws(CompressionFailure) in
            try CompressionDecoder(coding, limits: CompressionDecoder.Limits(bytesMost: shared.bodyMost))
        }
        started = shared.taking.world.time.now
        reading = door.reading(call)
    }

    /// Nothing more is to be read from the socket.
    var isHeld: Bool {
        guard task != nil, phase == .reading else { return false }
        let isHeld = gathered.readableBytes >= Self.gatherMost || decoder?.hasMore == true || shared.budget.isOver
        if isHeld { wasHeld = true }
        return isHeld
    }

    /// True once after each time that reading was held.
    func forgetHeld() -> Bool {
        defer { wasHeld = false }
        return wasHeld || isHeld
    }

    /// A batch is on its way to the routes.
    var isHanding: Bool { task != nil }

    // MARK: What comes

    func take(_ bytes: ByteBuffer) {
        guard phase == .reading else { return }
        if let decoder { decoder.give(bytes) } else { gather(bytes) }
        move()
    }

    func end() {
        isWhole = true
        move()
    }

    /// Weir stops by force: what is not handed on yet is given up.
    func cancel() { task?.cancel() }

    /// The time for settling is over.
    func giveUp() {
        guard phase == .settling else { return }
        outcome.refusal = .busy(retryAfter: nil)
        phase = .done
    }

    /// Nobody waits for the answer any more, or the body is not wanted: no more of it is cut.
    func refuse(_ refusal: HTTPRefusal) {
        guard phase == .reading else { return }
        outcome.refusal = outcome.refusal ?? refusal
        stopReading()
    }

    /// Nothing of the body is kept any longer.
    func release() {
        gathered = ByteBuffer()
        onChange = nil
        isReleased = true
        count()
    }

    private func gather(_ bytes: ByteBuffer) {
        plainBytes += bytes.readableBytes
        if gathered.readableBytes == 0 {
            // A few bytes must not keep a large buffer alive.
            gathered = bytes.readableBytes * 4 < bytes.storageCapacity ? bytes.copied() : bytes
            return
        }
        if gathered.writableBytes < bytes.readableBytes {
            gathered.reserveCapacity(max(cutAt + 65_536, gathered.readableBytes + bytes.readableBytes))
        }
        gathered.writeImmutableBuffer(bytes)
    }

    // MARK: Moving on

    /// Looks at everything and does what is due.
    private func move() {
        guard phase == .reading else { return }
        repeat {
            if let failure = unpack() { return refuse(failure) }
            if plainBytes > shared.bodyMost { return refuse(.tooLarge(limit: shared.bodyMost)) }
            count()
            if task != nil { return }
            let isLast = isWhole && decoder?.hasMore != true
            if isLast, let failure = finishDecoder() { return refuse(failure) }
            guard isLast || gathered.readableBytes >= cutAt || shared.budget.isOver else { return }
            handOver(isLast: isLast)
            if isLast { outcome.isComplete = !reading.isBroken }
            if isLast || reading.isBroken { return stopReading() }
        } while decoder?.hasMore == true || (task == nil && gathered.readableBytes >= cutAt)
        if shared.budget.isOver && task == nil && gathered.readableBytes > 0 { refuse(.busy(retryAfter: .seconds(1))) }
    }

    private func unpack() -> HTTPRefusal? {
        guard let decoder else { return nil }
        while decoder.hasMore, gathered.readableBytes < cutAt {
            let before = (gathered.readableBytes, decoder.pendingBytes)
            do throws(CompressionFailure) {
                try decoder.take(into: &gathered, most: cutAt - gathered.readableBytes)
            } catch {
                return Self.refusal(for: error, shared.bodyMost)
            }
            plainBytes += gathered.readableBytes - before.0
            if before == (gathered.readableBytes, decoder.pendingBytes) { break }
        }
        return nil
    }

    private func finishDecoder() -> HTTPRefusal? {
        guard let decoder, !hasEnded else { return nil }
        hasEnded = true
        do throws(CompressionFailure) { try decoder.finish() } catch {
            return Self.refusal(for: error, shared.bodyMost)
        }
        return nil
    }

    private static func refusal(for failure: CompressionFailure, _ limit: Int) -> HTTPRefusal {
        switch failure {
        case .tooLarge, .tooDense: .tooLarge(limit: limit)
        case .corrupt, .truncated, .unavailable: .badBody(failure.description)
        }
    }

    private func handOver(isLast: Bool) {
        let batches = reading.cut(&gathered, isLast: isLast)
        // What is left is the beginning of an event: it is looked at again when it has doubled.
        cutAt = max(Self.handOverAt, gathered.readableBytes * 2)
        inFlight = batches.reduce(0) { $0 + $1.byteCount }
        count()
        // After a refusal only the answer needs the rest of the body.
        guard !batches.isEmpty, outcome.refusal == nil else { return }
        let items = reading.items
        let bound = NIOLoopBound(self, eventLoop: loop)
        let loop = loop
        // Owned by this upload, one at a time, cancelled by `cancel`; its connection stays until it has ended.
        task = Task(executorPreference: executor) { [taking = shared.taking] in
            let taken = await taking.take(batches)
            loop.execute { bound.value.taken(taken.receipt, taken.events, taken.refusal, items: items) }
        }
    }

    private func taken(_ receipt: Receipt, _ events: Int, _ refusal: HTTPRefusal?, items: Int) {
        task = nil
        inFlight = 0
        if let refusal {
            outcome.refusal = outcome.refusal ?? refusal
        } else {
            outcome.add(HTTPOutcome.Step(itemsEnd: items, events: events, receipt: receipt))
        }
        switch phase {
        case .reading:
            if outcome.refusal != nil && !reading.needsRest { stopReading() } else { move() }
        case .handing: handed()
        case .settling, .done: break
        }
        count()
        onChange?()
    }

    private func stopReading() {
        phase = .handing
        gathered = ByteBuffer()
        count()
        if task == nil { handed() }
    }

    private func handed() {
        guard outcome.refusal == nil, reading.waitsUntilSafe else {
            phase = .done
            return
        }
        phase = .settling
        let receipt = outcome.receipt
        if receipt.settlement != nil { return settled(receipt) }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let loop = loop
        receipt.whenSettled { _ in
            loop.execute {
                bound.value.settled(receipt)
                bound.value.onChange?()
            }
        }
    }

    private func settled(_ receipt: Receipt) {
        guard phase == .settling else { return }
        if case .lost(let reason) = receipt.settlement { outcome.refusal = .notKept(reason.sentence) }
        phase = .done
    }

    /// Keeps the budget at what this body holds.
    private func count() {
        let kept = gathered.readableBytes + (decoder?.pendingBytes ?? 0) + reading.heldBytes
        let held = inFlight + (isReleased ? 0 : kept)
        shared.budget.take(held - counted)
        counted = held
    }

    // MARK: The answer

    /// Meaningful once `phase` is `done`.
    func answer() -> HTTPAnswer {
        outcome.took = shared.taking.world.time.now - started
        if let refusal = outcome.refusal { shared.meter.refused(refusal.code) }
        return reading.answer(outcome)
    }
}
