internal import NIOCore
internal import WeirFlow
internal import WeirWorld

/// One connection's way from the socket to the routes. Lives on its event loop.
///
/// Reads are asked for one at a time. What was read is gathered until there are 128 KB of whole events, or 2 ms have
/// passed since the last hand-over; then one task hands it to the intake. While that task waits, up to 256 KB more are
/// gathered, and then nothing is read: TCP holds the sender. The beginning of an event at the end of a read is copied
/// in front of the next read; nothing else is.
final class StreamHandler<Cutter: StreamCutter>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        /// Reads. Can become: `ended`.
        case open
        /// The sender has closed, or Weir stops; what was gathered is handed on. Can become: `left`.
        case ended
        /// Everything is handed on.
        case left
    }

    private let shared: StreamShared
    private var cutter: Cutter
    /// `nil` behind TLS, where the reads that we see are not the socket's.
    private let room: ReceiveRoom?
    private var loop: (any EventLoop)?
    private var executor: LoopExecutor?
    private var context: ChannelHandlerContext?
    private var attributes: [String: String] = [:]

    private var phase = Phase.open
    private var gathered = ByteBuffer()
    /// Bytes at the front of `gathered` that are whole events.
    private var complete = 0
    private var fresh: ByteBuffer?
    private var inFlight = 0
    private var counted = 0
    private var isReadPending = false
    private var handing: Task<Void, Never>?
    private var timer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var lastHandOver = Moment.zero
    private var lastRead = Moment.zero

    init(shared: StreamShared, cutter: Cutter, room: ReceiveRoom?) {
        self.shared = shared
        self.cutter = cutter
        self.room = room
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
        executor = LoopExecutor(context.eventLoop)
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase == .open else { return }
        absorb()
        var data = unwrapInboundIn(data)
        cutter.skip(&data)
        fresh = data
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        absorb()
        move()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { end() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shared.note(error)
        context.close(promise: nil)
    }

    // MARK: What the source says

    private func begin(_ context: ChannelHandlerContext) {
        guard executor != nil, attributes.isEmpty else { return }
        attributes = ["peer": context.channel.remoteAddress?.ipAddress ?? "local"]
        lastRead = shared.world.time.now
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        let entrance = shared.streams.enter(
            ObjectIdentifier(self),
            OpenStreams.Entry(
                stop: { loop.execute { bound.value.stop() } }, cancel: { loop.execute { bound.value.cancel() } }))
        guard entrance == .welcome else {
            if entrance == .full { shared.meter.refused("too_many_connections") }
            phase = .left
            context.close(promise: nil)
            return
        }
        shared.meter.connectionOpened()
        watchIdleness()
        move()
    }

    private func stop() {
        guard phase == .open else { return }
        absorb()
        if gathered.readableBytes > complete { shared.meter.malformed(1, code: "cut_at_stop") }
        end()
    }

    private func cancel() {
        handing?.cancel()
        gathered.clear()
        complete = 0
        end()
    }

    // MARK: Gathering

    private func absorb() {
        guard var data = fresh else { return }
        fresh = nil
        let known = gathered.readableBytes
        if known == 0 {
            // A few bytes must not keep a large buffer alive.
            gathered = data.readableBytes * 4 < data.storageCapacity ? data.copied() : data
        } else if data.readableBytes > known, data.readerIndex >= known, room != nil {
            data.moveReaderIndex(to: data.readerIndex - known)
            data.setBuffer(gathered, at: data.readerIndex)
            gathered = data
        } else {
            gathered.writeImmutableBuffer(data)
        }
        complete = cutter.completeBytes(in: gathered, known: complete)
        let limit = shared.budget.isOver ? min(shared.eventMost, StreamShared.partialMostWhenShort) : shared.eventMost
        // An octet count in front of an event is not part of its length.
        if gathered.readableBytes - complete > limit + StreamShared.headerMost {
            cutter.shorten(&gathered, after: complete, to: limit)
            complete = gathered.readableBytes
        }
        count()
    }

    /// Keeps the budget at what this connection holds.
    private func count() {
        let held = gathered.readableBytes + inFlight
        if held > counted {
            shared.budget.take(held - counted)
        } else if held < counted {
            shared.budget.give(counted - held)
        }
        counted = held
    }

    // MARK: Moving on

    /// Looks at everything and does what is due: hands on, reads, or leaves.
    private func move() {
        let now = shared.world.time.now
        if handing == nil && complete > 0 {
            if complete >= StreamShared.handOverAt || phase == .ended
                || now - lastHandOver >= StreamShared.handOverAfter
            {
                handOver(now)
            } else if timer == nil {
                handOverLater(StreamShared.handOverAfter - (now - lastHandOver))
            }
        }
        switch phase {
        case .open: if mayRead { read(now) }
        case .ended: if handing == nil && complete == 0 { leave() }
        case .left: break
        }
    }

    private var mayRead: Bool {
        if isReadPending { return false }
        if shared.budget.isOver { return handing == nil && complete == 0 }
        return complete < StreamShared.gatherMost
    }

    private func read(_ now: Moment) {
        isReadPending = true
        lastRead = now
        if let room {
            room.isShort = shared.budget.isOver
            room.headroom = gathered.readableBytes <= StreamShared.headroomMost ? gathered.readableBytes : 0
        }
        context?.read()
    }

    private func handOver(_ now: Moment) {
        timer?.cancel()
        timer = nil
        lastHandOver = now
        guard let loop, let executor else { return }
        let whole = gathered.readSlice(length: complete) ?? ByteBuffer()
        // Only what begins the next event is copied; the slab goes on as it is.
        gathered = gathered.copied()
        complete = 0
        let batches = cutter.batches(
            of: whole,
            context: BatchContext(
                kind: .raw, source: shared.meter.name, received: shared.world.time.wall, attributes: attributes))
        guard !batches.isEmpty else { return count() }
        inFlight = whole.readableBytes
        count()
        let bound = NIOLoopBound(self, eventLoop: loop)
        // Owned by this connection, one at a time, cancelled by `cancel`; `OpenStreams` waits for it.
        handing = Task(executorPreference: executor) { [handing = shared.handing] in
            for batch in batches { await handing.hand(batch) }
            loop.execute { bound.value.wasTaken() }
        }
    }

    private func wasTaken() {
        handing = nil
        inFlight = 0
        count()
        move()
    }

    private func handOverLater(_ delay: Duration) {
        guard let loop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: .nanoseconds(max(0, delay.nanoseconds))) {
            bound.value.timer = nil
            bound.value.move()
        }
    }

    // MARK: Leaving

    private func end() {
        guard phase == .open else { return }
        absorb()
        phase = .ended
        idleTimer?.cancel()
        cutter.finish(&gathered, after: complete)
        complete = gathered.readableBytes
        count()
        move()
    }

    private func leave() {
        phase = .left
        gathered = ByteBuffer()
        count()
        timer?.cancel()
        shared.meter.connectionClosed()
        shared.streams.leave(ObjectIdentifier(self))
        context?.close(promise: nil)
    }

    private func watchIdleness() {
        guard let limit = shared.idleTimeout, let loop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let left = limit - (shared.world.time.now - lastRead)
        idleTimer = loop.scheduleTask(in: .nanoseconds(max(1_000_000, left.nanoseconds))) {
            bound.value.lookForIdleness(limit)
        }
    }

    private func lookForIdleness(_ limit: Duration) {
        guard phase == .open else { return }
        // A sender that is held back is not idle.
        if isReadPending && shared.world.time.now - lastRead >= limit {
            shared.meter.refused("idle_timeout")
            end()
        } else {
            watchIdleness()
        }
    }
}

extension ByteBuffer {
    /// The readable bytes in storage of their own, no larger than needed.
    func copied() -> ByteBuffer {
        guard readableBytes > 0 else { return ByteBuffer() }
        var copy = ByteBuffer()
        copy.reserveCapacity(readableBytes)
        copy.writeImmutableBuffer(self)
        return copy
    }
}
