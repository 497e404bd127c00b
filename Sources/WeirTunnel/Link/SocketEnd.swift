internal import DequeModule
internal import NIOCore
internal import WeirWorld

#if canImport(Glibc)
    internal import Glibc
#endif

/// Joins a stream and a TCP socket: a client's at the hub, the target's at the agent. The socket's channel lives on the
/// link's event loop, reads only when asked (`autoRead` off), one message a read, and may be half closed.
///
/// FIN becomes FIN and RST becomes RST, in both directions. The socket is read again when the stream has sent what was
/// read before, so a stream without credit leaves its bytes in the sender's kernel.
final class SocketEnd: ChannelInboundHandler, StreamEnd {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Read at once, at the most, in bytes.
    static let readMost = 128 << 10

    /// What is measured while it runs and told at its end, on the event loop.
    let meter: any StreamMeter
    /// Told once, at the end.
    private let atEnd: (Outcome) -> Void
    private var bytesSent: Int64 = 0
    private var bytesReceived: Int64 = 0
    private let link: Link
    let stream: UInt32
    private var context: ChannelHandlerContext?
    /// From the socket, to be sent.
    private var pending = Deque<ByteBuffer>()
    private var isReadPending = false
    private var hasInputEnded = false
    private var hasOutputEnded = false
    private var hasFailed = false
    /// From the stream, before there was a socket.
    private var early: [ByteBuffer] = []
    /// From the stream, to be written: the last of this turn, kept back for the promise.
    private var last: ByteBuffer?
    private var gathered = 0
    private var unwritten = 0
    private var isReceiverSlow = false
    private var isWithoutCredit = false
    private var isHeldByLink = false
    private var isFinishing = false
    private var isOver = false

    /// Towards the stream.
    private var passage = Passage()
    private var passageLast = Moment.zero
    /// Towards the socket: what its kernel did not take at once, since when, and how many bytes are left of it.
    private var slowWrite: (began: Moment, write: Duration, left: Int)?
    private var writeLast = Moment.zero

    private let limits: StreamLimits
    /// Bandwidth, from the socket and to it; `nil` where nothing limits it.
    private let sending: RateLeave?
    private let receiving: RateLeave?
    /// What is pending has no leave yet.
    private var isHeldByRate = false
    /// From the stream, without leave to be written. Not taken, so it counts against the window.
    private var held = Deque<ByteBuffer>()
    private var heldBytes = 0
    private var deadline: Scheduled<Void>?

    /// What is left to say of a stream when it is over.
    struct Outcome: Sendable, Hashable {
        /// `nil` when both directions ended as they should.
        var reason: StreamReason?
        /// The other side has ended it.
        var byPeer: Bool
        /// From the socket to the stream, in bytes.
        var sent: Int64
        /// From the stream to the socket, in bytes.
        var received: Int64
    }

    init(
        link: Link, stream: UInt32, meter: any StreamMeter, limits: StreamLimits = StreamLimits(),
        atEnd: @escaping (Outcome) -> Void
    ) {
        self.atEnd = atEnd
        self.link = link
        self.stream = stream
        self.meter = meter
        self.limits = limits
        sending = limits.gates.isEmpty ? nil : RateLeave(limits.gates)
        receiving = limits.gates.isEmpty ? nil : RateLeave(limits.gates)
        if let most = limits.durationMost {
            deadline = link.loop?.assumeIsolated().scheduleTask(in: .nanoseconds(most.nanoseconds)) { [weak self] in
                self?.end(.durationLimit)
            }
        }
    }

    // MARK: The socket

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard self.context == nil else { return }
        guard !isOver else { return Self.cut(context.channel) }
        self.context = context
        let early = early
        self.early = []
        for bytes in early { pass(bytes, context) }
        receivedAll()
        finishIfWritten()
        read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if pending.isEmpty { beginPassage(bytes.readableBytes, at: link.now) }
        pending.append(bytes)
        askLeave()
        link.hasMore(stream)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        if pending.isEmpty { read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        hasInputEnded = true
        meter.finishSent()
        link.hasMore(stream)
        closeIfDone()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasFailed = true
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if !isOver {
            // NIO closes a socket whose both directions have ended without telling of the second end.
            if hasFailed || !hasOutputEnded {
                link.reset(stream, .socketReset)
                over(.socketReset, byPeer: false)
            } else {
                if !hasInputEnded { meter.finishSent() }
                hasInputEnded = true
                link.hasMore(stream)
                if pending.isEmpty { over(nil, byPeer: false) }
            }
        }
        context.fireChannelInactive()
    }

    private func read() {
        guard let context, !isReadPending, !hasInputEnded, !isOver else { return }
        isReadPending = true
        context.read()
    }

    // MARK: The stream

    func accepted() {}

    var hasBytes: Bool { !pending.isEmpty && !isHeldByRate }

    var isDone: Bool { hasInputEnded && pending.isEmpty }

    func next(most: Int) -> ByteBuffer? {
        guard bytesLeft > 0 else {
            end(.byteLimit)
            return nil
        }
        let most = min(most, sending?.left ?? most, Int(clamping: bytesLeft))
        guard var bytes = pending.popFirst() else { return nil }
        if bytes.readableBytes > most {
            let part = bytes.readSlice(length: most)
            pending.prepend(bytes)
            count(sent: most)
            return part
        }
        count(sent: bytes.readableBytes)
        if pending.isEmpty {
            if context == nil, hasInputEnded { over(nil, byPeer: false) } else { read() }
        }
        return bytes
    }

    private func count(sent bytes: Int) {
        bytesSent += Int64(bytes)
        meter.sent(bytes)
        if let timed = passage.passed(bytes, at: link.now, way: { link.session.wayNow(at: $0) }) {
            meter.passed(write: timed.write, drain: timed.drain)
        }
        guard let sending else { return }
        sending.used(bytes)
        askLeave()
    }

    // Of what is pending, at the bandwidth limits.
    private func askLeave() {
        guard let sending, let loop = link.loop, let first = pending.first else { return }
        let leave = sending.leave(for: first.readableBytes, on: loop) { [weak self] in
            guard let self else { return }
            askLeave()
            link.hasMore(stream)
        }
        isHeldByRate = leave == 0
        if isHeldByRate { passage.waits(.rate, at: link.now) }
        meter.waits(.toTarget, .rate, isHeldByRate)
    }

    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {
        switch cause {
        case .credit where waits != isWithoutCredit:
            isWithoutCredit = waits
            if waits { waitsNow(.credit) }
        case .link where waits != isHeldByLink:
            isHeldByLink = waits
            if waits { waitsNow(.link) }
        default: return
        }
        meter.waits(.toTarget, cause, waits)
    }

    private func beginPassage(_ bytes: Int, at now: Moment) {
        guard !passage.isUnderWay, now - passageLast >= Passage.every else { return }
        passageLast = now
        passage.begin(bytes, at: now)
    }

    // What waits is always timed.
    private func waitsNow(_ cause: ConnectorFigures.Cause) {
        let now = link.now
        if !passage.isUnderWay { passage.begin(pending.reduce(0) { $0 + $1.readableBytes }, at: now) }
        passage.waits(cause, at: now)
    }

    func received(_ bytes: ByteBuffer) {
        guard !isOver else { return link.taken(bytes.readableBytes, of: stream) }
        guard Int64(bytes.readableBytes) <= bytesLeft else { return end(.byteLimit) }
        bytesReceived += Int64(bytes.readableBytes)
        guard let context else { return early.append(bytes) }
        pass(bytes, context)
    }

    private var bytesLeft: Int64 { limits.bytesMost.map { $0 - bytesSent - bytesReceived } ?? .max }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard receiving != nil else { return gather(bytes, context) }
        held.append(bytes)
        heldBytes += bytes.readableBytes
        release(context)
    }

    // What the bandwidth limits let through.
    private func release(_ context: ChannelHandlerContext) {
        guard let receiving else { return }
        while var bytes = held.popFirst() {
            let amount = receiving.leave(for: bytes.readableBytes, on: context.eventLoop) { [weak self] in
                guard let self, let context = self.context else { return }
                release(context)
                receivedAll()
            }
            if amount > 0, let part = bytes.readSlice(length: amount) {
                receiving.used(amount)
                heldBytes -= amount
                gather(part, context)
            }
            if bytes.readableBytes > 0 { held.prepend(bytes) }
            guard amount > 0 else { break }
        }
        meter.waits(.toClient, .rate, !held.isEmpty)
    }

    // What a limit holds is not the receiver's queue: it is as good as not come.
    private func tellRoom() { meter.room(link.room(of: stream) + heldBytes) }

    private func gather(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        meter.received(bytes.readableBytes)
        if let before = last { context.write(wrapOutboundOut(before), promise: nil) }
        last = bytes
        gathered += bytes.readableBytes
    }

    func receivedAll() {
        guard let context, let bytes = last else { return }
        let amount = gathered
        last = nil
        gathered = 0
        unwritten += amount
        tellRoom()
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { result in self.wrote(amount, result) }
        let arrived = link.arrived
        let began = arrived.flatMap { $0 - writeLast >= Passage.every ? link.now : nil }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        // Mostly the kernel has taken it by now.
        guard unwritten > 0 else {
            guard let arrived, let began else { return }
            writeLast = arrived
            return meter.passed(write: began - arrived, drain: link.now - began)
        }
        if slowWrite == nil {
            let now = link.now
            slowWrite = (now, arrived.map { now - $0 } ?? .zero, unwritten)
        }
        guard !isReceiverSlow else { return }
        isReceiverSlow = true
        meter.waits(.toClient, .receiver, true)
    }

    private func wrote(_ amount: Int, _ result: Result<Void, any Error>) {
        unwritten -= amount
        if unwritten == 0, isReceiverSlow {
            isReceiverSlow = false
            meter.waits(.toClient, .receiver, false)
        }
        switch result {
        case .success:
            meter.drained(amount)
            if let (began, write, left) = slowWrite {
                slowWrite = left > amount ? (began, write, left - amount) : nil
                if slowWrite == nil { meter.passed(write: write, drain: link.now - began) }
            }
            link.taken(amount, of: stream)
            tellRoom()
            finishIfWritten()
        case .failure:
            // The channel is closing, and not because all was said: its end resets the stream.
            hasFailed = true
            link.taken(amount, of: stream)
        }
    }

    func finished() {
        meter.finishReceived()
        isFinishing = true
        finishIfWritten()
    }

    private func finishIfWritten() {
        guard isFinishing, !hasOutputEnded, unwritten == 0, last == nil, held.isEmpty, let context else { return }
        hasOutputEnded = true
        if hasInputEnded, pending.isEmpty { return closeIfDone() }
        context.close(mode: .output, promise: nil)
    }

    private func closeIfDone() {
        guard hasInputEnded, hasOutputEnded, pending.isEmpty, let context else { return }
        context.close(promise: nil)
    }

    func reset(_ reason: StreamReason) {
        guard !isOver else { return }
        over(reason, byPeer: true)
        if let context { Self.cut(context.channel) }
    }

    /// Of our own: what was allowed is used up.
    private func end(_ reason: StreamReason) {
        guard !isOver else { return }
        link.reset(stream, reason)
        over(reason, byPeer: false)
        if let context { Self.cut(context.channel) }
    }

    /// RST instead of FIN: a transfer that broke off must not look like one that ended. On the channel's event loop, so
    /// that it is set at once; a channel that is no socket is only closed.
    static func cut(_ channel: any Channel) {
        _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        channel.close(promise: nil)
    }

    private func over(_ reason: StreamReason?, byPeer: Bool) {
        isOver = true
        deadline?.cancel()
        sending?.end()
        receiving?.end()
        held.removeAll()
        pending.removeAll()
        early = []
        last = nil
        meter.ended(reason, byPeer: byPeer)
        atEnd(Outcome(reason: reason, byPeer: byPeer, sent: bytesSent, received: bytesReceived))
    }
}
