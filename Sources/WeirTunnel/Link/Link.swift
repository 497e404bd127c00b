internal import DequeModule
internal import NIOCore
internal import NIOSSL
internal import WeirCalls
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// Carries a `Session` over one channel (TCP, TLS, WebSocket: anything that brings bytes in order), on its event loop.
///
/// - Out: frames of all streams that have bytes and credit, in turn, 16 KiB each with their headers, which is what a
///   TLS record holds, gathered into buffers of 256 KiB; as long as the channel is writable. What does not fit stays in
///   the senders' sockets.
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

    /// Written in one go, in bytes: sixteen frames.
    static let gatherMost = 256 << 10
    /// What a stream that is alone may add, in bytes, so that its last few are no write of their own.
    static let restMost = 4 << 10

    var session: Session
    /// Kept until it was told that the link is down.
    private(set) var owner: (any Owner)?
    private let random: any RandomSource
    private(set) var context: ChannelHandlerContext?
    private(set) var loop: (any EventLoop)?
    var lanes: [UInt32: Lane] = [:]
    /// Streams that have bytes and credit, in turn; those that have ended meanwhile are skipped.
    var ready = Deque<Lane>()
    /// So many of `ready` were told that they wait for the link.
    var heldByLink = 0
    private var readAt = Moment.zero
    /// When the bytes of this turn were read; `nil` between turns.
    var arrived: Moment? { isReading ? readAt : nil }
    /// Ends that got bytes in this turn.
    var touched: [any StreamEnd] = []
    var partial = ByteBuffer()
    /// The frame whose payload is coming.
    var payload: (frame: Session.Received, left: Int)?
    var outgoing = ByteBuffer()
    private var isReadPending = false
    var isPumping = false
    private var isReading = false
    private var ticks: RepeatedTask?
    private(set) var end: LinkEnd?
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
        let lane = Lane(id, end)
        lanes[id] = lane
        // What it has to say goes with the frame that opens it.
        if end.hasBytes { enqueue(lane) }
        pump()
        return id
    }

    /// Gives a stream an end, or another one than before.
    func attach(_ end: any StreamEnd, to stream: UInt32) {
        if let lane = lanes[stream] { lane.end = end } else { lanes[stream] = Lane(stream, end) }
    }

    /// Takes a stream that the peer has opened, and sends what its end has to say to that.
    func accept(_ stream: UInt32) {
        session.accept(stream)
        if let lane = lanes[stream], lane.end.hasBytes { enqueue(lane) }
        pump()
    }

    /// The end has bytes, or is done.
    func hasMore(_ stream: UInt32) {
        if let lane = lanes[stream] { enqueue(lane) }
        pump()
    }

    func reset(_ stream: UInt32, _ reason: StreamReason) {
        session.reset(stream, reason)
        forget(stream)
        pump()
    }

    /// Ends a stream on both sides: its end is told like of a reset by the peer.
    func end(_ stream: UInt32, _ reason: StreamReason) {
        guard let end = lanes[stream]?.end else { return }
        reset(stream, reason)
        end.reset(reason)
    }

    /// Its end is told no more.
    @discardableResult
    func forget(_ stream: UInt32) -> (any StreamEnd)? {
        guard let lane = lanes.removeValue(forKey: stream) else { return nil }
        lane.isReady = false
        return lane.end
    }

    func forgetIfDone(_ stream: UInt32) { if session.isForgotten(stream) { forget(stream) } }

    /// Received bytes have reached their receiver.
    func taken(_ amount: Int, of stream: UInt32) {
        session.taken(amount, of: stream, at: now)
        forgetIfDone(stream)
        if !isReading { pump() }
        read()
    }

    /// What the peer may still send of a stream before more of it is taken, in bytes.
    func room(of stream: UInt32) -> Int { session.room(of: stream) }

    /// What may be sent on a stream before its other end grants more, in bytes.
    func credit(of stream: UInt32) -> Int { session.credit(of: stream) }

    /// Gives bytes that one end has read too far to the end that stands there now.
    func redeliver(_ bytes: ByteBuffer, of stream: UInt32) {
        guard let end = lanes[stream]?.end else { return }
        end.received(bytes)
        if isReading { touched.append(end) } else { end.receivedAll() }
    }

    /// Tells the end that stands there now that the peer has finished.
    func refinish(_ stream: UInt32) { lanes[stream]?.end.finished() }

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

    /// Says that what has come has no meaning, and ends.
    func reject(_ end: LinkEnd) {
        if self.end == nil, let context {
            var frame = context.channel.allocator.buffer(capacity: YamuxHeader.byteCount)
            YamuxHeader(.goAway, stream: 0, length: YamuxGoAway.protocolError.rawValue).write(to: &frame)
            context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        }
        close(end)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
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
            forget(ended.stream)?.reset(ended.reason)
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
            reject(error)
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
        for stream in lanes.keys.sorted() { forget(stream)?.reset(.sessionLost) }
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

    func closeIfDrained() {
        guard session.isDraining, session.control.isEmpty, !isLeaving, let context else { return }
        let talks = conversation.map { !session.isForgotten($0) } ?? false
        guard session.streamCount == (talks ? 1 : 0) else { return }
        isLeaving = true
        // After all that was written before it.
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in self.close(.drained) }
    }
}

extension Moment {
    init(_ deadline: NIODeadline) { self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds)) }
}
