internal import DequeModule
internal import NIOCore
internal import NIOSSL
internal import WeirCalls
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// Carries a `Session` over one channel (TCP, TLS, WebSocket: anything that brings bytes in order), on its event loop.
///
/// - Out: frames of all streams that have bytes and credit, in turn, 16 KiB each, gathered into buffers of 128 KiB so
///   that TLS seals whole records; as long as the channel is writable. What does not fit stays in the senders' sockets.
/// - In: payload goes to its stream's end in pieces as it comes; nothing is gathered. The channel is read only while
///   the session has room.
final class Link: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the link tells its owner (hub or agent), on the event loop.
    protocol Owner: AnyObject {
        /// The channel is up and the session may be used.
        func linkIsUp(_ link: Link)
        /// The peer has opened a stream: give it an end (`attach`, then `accept`), or reset it.
        func opened(_ stream: UInt32, on link: Link)
        /// The peer opens and takes no more streams.
        func peerDrains(_ link: Link)
        /// The link is gone; all its streams were reset (`sessionLost`).
        func linkIsDown(_ link: Link, _ end: LinkEnd)
    }

    /// Written in one go, at the most.
    static let gatherMost = 128 << 10

    private(set) var session: Session
    /// Kept until it was told that the link is down.
    private var owner: (any Owner)?
    private let random: any RandomSource
    private var context: ChannelHandlerContext?
    private(set) var loop: (any EventLoop)?
    private var ends: [UInt32: any StreamEnd] = [:]
    /// Streams that have bytes and credit, in turn.
    private var ready = Deque<UInt32>()
    private var isReady: Set<UInt32> = []
    /// So many of `ready` were told that they wait for the link.
    private var heldByLink = 0
    private var readAt = Moment.zero
    /// When the bytes of this turn were read; `nil` between turns.
    var arrived: Moment? { isReading ? readAt : nil }
    /// Streams that got bytes in this turn.
    private var touched: [any StreamEnd] = []
    private var partial = ByteBuffer()
    /// The frame whose payload is coming.
    private var payload: (frame: Session.Received, left: Int)?
    private var outgoing = ByteBuffer()
    private var isReadPending = false
    private var isPumping = false
    private var isReading = false
    private var ticks: RepeatedTask?
    private var end: LinkEnd?
    /// All streams have ended after a drain; what was written last is on its way out.
    private var isLeaving = false
    let load = LinkLoad()
    /// The control stream, which does not keep a drained link open.
    var conversation: UInt32?

    init(_ settings: Session.Settings, owner: any Owner, random: any RandomSource, at now: NIODeadline) {
        session = Session(settings, at: Moment(now))
        self.owner = owner
        self.random = random
    }

    var now: Moment { Moment(loop?.now ?? .now()) }

    /// What the other side has shown and TLS has verified, DER; `nil` without TLS.
    var peerCertificate: [UInt8]? {
        try? context?.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
    }

    // MARK: Streams

    /// Opens a stream and gives it its end.
    func open(_ end: any StreamEnd) throws(Session.OpenRefusal) -> UInt32 {
        guard self.end == nil else { throw .draining }
        let id = try session.open(at: now)
        ends[id] = end
        pump()
        return id
    }

    /// Gives a stream an end, or another one than before.
    func attach(_ end: any StreamEnd, to stream: UInt32) { ends[stream] = end }

    /// Takes a stream that the peer has opened.
    func accept(_ stream: UInt32) {
        session.accept(stream)
        pump()
    }

    /// The end has bytes, or is done.
    func hasMore(_ stream: UInt32) {
        enqueue(stream)
        pump()
    }

    func reset(_ stream: UInt32, _ reason: StreamReason) {
        session.reset(stream, reason)
        ends[stream] = nil
        isReady.remove(stream)
        pump()
    }

    /// Ends a stream on both sides: its end is told like of a reset by the peer.
    func end(_ stream: UInt32, _ reason: StreamReason) {
        guard let end = ends[stream] else { return }
        reset(stream, reason)
        end.reset(reason)
    }

    /// Received bytes have reached their receiver.
    func taken(_ amount: Int, of stream: UInt32) {
        session.taken(amount, of: stream, at: now)
        forgetIfDone(stream)
        if !isReading { pump() }
        read()
    }

    /// What the peer may still send of a stream before more of it is taken, in bytes.
    func room(of stream: UInt32) -> Int { session.room(of: stream) }

    /// Gives bytes that one end has read too far to the end that stands there now.
    func redeliver(_ bytes: ByteBuffer, of stream: UInt32) {
        guard let end = ends[stream] else { return }
        end.received(bytes)
        if isReading { touched.append(end) } else { end.receivedAll() }
    }

    /// Tells the end that stands there now that the peer has finished.
    func refinish(_ stream: UInt32) { ends[stream]?.finished() }

    /// Takes no more streams; closes when the last has ended. Streams that are left after `deadline` are reset.
    func drain() {
        session.drain()
        pump()
        closeIfDrained()
    }

    /// Ends all streams now: TLS may take seconds to close, and a dead peer's never does.
    func close(_ end: LinkEnd) {
        if self.end == nil { self.end = end }
        context?.close(promise: nil)
        down()
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
        outgoing = context.channel.allocator.buffer(capacity: Self.gatherMost + YamuxHeader.byteCount)
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard ticks == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .seconds(1)) { _ in
            bound.value.tick()
        }
        owner?.linkIsUp(self)
        read()
    }

    private func tick() {
        let tick = session.tick(at: now, fraction: random.fraction())
        if tick.isDead { return close(.silent) }
        load.note(
            roundTrip: session.roundTrip, granted: session.streamCount * YamuxHeader.windowFirst + session.growth)
        for ended in tick.ended {
            isReady.remove(ended.stream)
            ends.removeValue(forKey: ended.stream)?.reset(ended.reason)
        }
        pump()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        let now = now
        if !isReading { readAt = now }
        isReading = true
        session.heard(at: now)
        do throws(LinkEnd) {
            try parse(&bytes)
        } catch {
            var frame = context.channel.allocator.buffer(capacity: YamuxHeader.byteCount)
            YamuxHeader(.goAway, stream: 0, length: YamuxGoAway.protocolError.rawValue).write(to: &frame)
            context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
            close(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        let ends = touched
        touched.removeAll(keepingCapacity: true)
        for end in ends { end.receivedAll() }
        isReading = false
        pump()
        read()
        closeIfDrained()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        pump()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        // Before the ends are told: they may have an opinion of their own on why.
        if end == nil { end = session.isDraining || session.isPeerDraining ? .drained : .closed }
        down()
        context.fireChannelInactive()
    }

    private func down() {
        guard let owner, let end else { return }
        self.owner = nil
        ticks?.cancel()
        let ends = ends.sorted { $0.key < $1.key }
        self.ends = [:]
        for (_, end) in ends { end.reset(.sessionLost) }
        owner.linkIsDown(self, end)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS was not closed: the other process has ended without a word. Streams are reset as lost either way.
        let isCut = error as? NIOSSLError == .uncleanShutdown
        close(isCut ? .closed : .failed(NetworkReason.of(error, peer: "the other side").sentence))
    }

    private func read() {
        guard !isReadPending, let context, session.hasRoom, end == nil else { return }
        isReadPending = true
        context.read()
    }

    private func closeIfDrained() {
        guard session.isDraining, session.control.isEmpty, !isLeaving, let context else { return }
        let talks = conversation.map { !session.isForgotten($0) } ?? false
        guard session.streamCount == (talks ? 1 : 0) else { return }
        isLeaving = true
        // After all that was written before it.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in self.close(.drained) }
    }

    // MARK: In

    private func parse(_ bytes: inout ByteBuffer) throws(LinkEnd) {
        while end == nil {
            if let coming = payload {
                guard bytes.readableBytes > 0 else { return }
                let amount = min(coming.left, bytes.readableBytes)
                deliver(bytes.readSlice(length: amount), of: coming.frame)
                if amount < coming.left {
                    payload = (coming.frame, coming.left - amount)
                    return
                }
                payload = nil
                finish(coming.frame)
                continue
            }
            guard let header = try header(&bytes) else { return }
            let frame: Session.Received
            do throws(Session.SessionFault) {
                frame = try session.received(header, at: now)
            } catch {
                throw .mistake("\(error)")
            }
            begin(frame)
            if frame.payload > 0 { payload = (frame, frame.payload) } else { finish(frame) }
        }
    }

    // A header may lie in two reads.
    private func header(_ bytes: inout ByteBuffer) throws(LinkEnd) -> YamuxHeader? {
        do throws(YamuxMistake) {
            guard partial.readableBytes > 0 else {
                if let header = try YamuxHeader(from: &bytes) { return header }
                partial.writeBuffer(&bytes)
                return nil
            }
            if var rest = bytes.readSlice(
                length: min(YamuxHeader.byteCount - partial.readableBytes, bytes.readableBytes))
            {
                partial.writeBuffer(&rest)
            }
            guard let header = try YamuxHeader(from: &partial) else { return nil }
            partial.clear()
            return header
        } catch {
            throw .mistake("\(error)")
        }
    }

    private func begin(_ frame: Session.Received) {
        if frame.isOpened { owner?.opened(frame.stream, on: self) }
        if frame.isAccepted { ends[frame.stream]?.accepted() }
        if frame.hasCredit { enqueue(frame.stream) }
        if frame.goAway != nil { owner?.peerDrains(self) }
        if let reason = frame.reset {
            isReady.remove(frame.stream)
            ends.removeValue(forKey: frame.stream)?.reset(reason)
        }
    }

    private func deliver(_ bytes: ByteBuffer?, of frame: Session.Received) {
        guard let bytes, !frame.isDiscarded else { return }
        guard let end = ends[frame.stream] else {
            // Reset by us in this very turn.
            return session.taken(bytes.readableBytes, of: frame.stream, at: now)
        }
        if touched.last !== end { touched.append(end) }
        end.received(bytes)
    }

    private func finish(_ frame: Session.Received) {
        guard frame.isFinished, let end = ends[frame.stream] else { return }
        if touched.last === end { end.receivedAll() }
        end.finished()
        forgetIfDone(frame.stream)
    }

    // MARK: Out

    private func enqueue(_ stream: UInt32) {
        guard ends[stream] != nil, isReady.insert(stream).inserted else { return }
        ready.append(stream)
    }

    /// Sends what may be sent now.
    private func pump() {
        guard !isPumping, let context, end == nil else { return }
        isPumping = true
        // What the kernel takes at once makes the channel writable again, within the flush: so it is looked at anew.
        repeat {
            outgoing.clear(minimumCapacity: Self.gatherMost + YamuxHeader.byteCount)
            for frame in session.takeControl() { frame.write(to: &outgoing) }
            if context.channel.isWritable { gather() }
            guard outgoing.readableBytes > 0 else { break }
            context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
        } while !session.control.isEmpty || (!ready.isEmpty && context.channel.isWritable)
        // Left over only while the channel takes no more.
        while heldByLink < ready.count {
            ends[ready[heldByLink]]?.waits(.link, true)
            heldByLink += 1
        }
        isPumping = false
        closeIfDrained()
    }

    private func gather() {
        let now = now
        for id in ready.prefix(heldByLink) { ends[id]?.waits(.link, false) }
        heldByLink = 0
        while outgoing.readableBytes < Self.gatherMost, let id = ready.popFirst() {
            guard isReady.contains(id), let end = ends[id] else { continue }
            let most = min(session.settings.frameMost, Self.gatherMost - outgoing.readableBytes)
            let amount = end.hasBytes ? session.take(most, of: id, at: now) : 0
            if amount > 0, var bytes = end.next(most: amount) {
                // What was taken and is not needed stays with the stream.
                session.giveBack(amount - bytes.readableBytes, of: id)
                YamuxHeader(.data, stream: id, length: UInt32(bytes.readableBytes)).write(to: &outgoing)
                outgoing.writeBuffer(&bytes)
            }
            settle(id, end)
        }
    }

    // Where a stream goes after its turn: back in line, asleep until it has bytes or credit, or finished.
    private func settle(_ id: UInt32, _ end: any StreamEnd) {
        if end.hasBytes {
            let hasCredit = session.credit(of: id) > 0
            end.waits(.credit, !hasCredit)
            if hasCredit {
                ready.append(id)
            } else {
                isReady.remove(id)
                session.probe(at: now)
            }
            return
        }
        isReady.remove(id)
        end.waits(.credit, false)
        guard end.isDone else { return }
        session.finish(id, at: now)
        for frame in session.takeControl() { frame.write(to: &outgoing) }
        forgetIfDone(id)
    }

    private func forgetIfDone(_ id: UInt32) {
        if session.isForgotten(id) { ends[id] = nil }
    }
}

extension Moment {
    init(_ deadline: NIODeadline) { self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds)) }
}
