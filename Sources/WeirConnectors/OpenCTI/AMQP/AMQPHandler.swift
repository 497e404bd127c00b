internal import Logging
internal import NIOCore
internal import WeirCalls
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// Carries out what an `AMQPSession` decides, on the connection's event loop.
///
/// It reads only while there is room: a connection may hold `windowMost` bytes, and when all together hold too much,
/// only connections that hold nothing read. So there is always one that gets on.
final class AMQPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Longer messages go to the platform as they come.
    static let gatherMost = 256 * 1_024
    static let windowMost = 512 * 1_024

    var session: AMQPSession
    let platform: any ConnectorPlatform
    let keys: any ConnectorKeys
    let sessions: AMQPSessions
    let log: Logger

    var context: ChannelHandlerContext?
    var loop: (any EventLoop)?
    private var received = ByteBuffer()
    private var gathering: [AMQPPublishID: BundlePush] = [:]
    var jobs: [AMQPPump.Job] = []
    var receptions: [AMQPPublishID: any BundleReception] = [:]
    var pumping: Task<Void, Never>?
    /// Since when the platform has been busy with the job at hand.
    var waitsSince: Moment?
    var heldBytes = 0
    private var isReadPending = false
    private var ticks: RepeatedTask?
    var stopping: (text: String, ticks: Int)?
    var hasLeft = false

    init(
        settings: AMQPSession.Settings, platform: any ConnectorPlatform, keys: any ConnectorKeys,
        sessions: AMQPSessions, log: Logger, now: NIODeadline
    ) {
        session = AMQPSession(settings, at: Moment(now))
        self.platform = platform
        self.keys = keys
        self.sessions = sessions
        self.log = log
    }

    var now: Moment { loop.map { Moment($0.now) } ?? .zero }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let loop = context.eventLoop
        self.loop = loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let isWelcome = sessions.enter(
            ObjectIdentifier(self),
            AMQPSessions.Entry(
                stop: { text in loop.execute { bound.value.stop(text) } },
                close: { loop.execute { bound.value.closeNow() } }))
        guard isWelcome else {
            hasLeft = true
            return context.close(promise: nil)
        }
        ticks = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in bound.value.tick() }
        if context.channel.isActive { read() }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
        parse()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        context.flush()
        read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        ticks?.cancel()
        let isKept = session.pending.keys.contains { !$0.isConfirmed }
        perform(session.end("the client has gone"))
        for push in gathering.values { give(push.bytes.readableBytes) }
        gathering = [:]
        for job in jobs where !job.outlivesClient { give(job.byteCount) }
        jobs.removeAll { !$0.outlivesClient }
        // The client sends again what was not confirmed, so a push that is still held is given up.
        if !isKept || stopping != nil { pumping?.cancel() }
        self.context = nil
        pump()
        leaveIfDone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let peer = context.remoteAddress?.ipAddress ?? "this machine"
        let reason = NetworkReason.of(error, peer: "a publisher at \(peer)")
        if session.phase == .header, reason.code == "tls_failed", sessions.tellsTLS(at: now) {
            log.notice("a publisher does not come in by TLS", metadata: ["error": "\(reason.sentence)"])
        }
        context.close(promise: nil)
    }

    func read() {
        guard !isReadPending, let context, context.channel.isActive, canRead else { return }
        isReadPending = true
        context.read()
    }

    private var canRead: Bool {
        guard context?.channel.isWritable == true, session.phase != .authenticating, session.phase != .closed,
            stopping == nil || isClosing
        else { return false }
        return heldBytes == 0 || (heldBytes < AMQPHandler.windowMost && !sessions.holdsTooMuch)
    }

    private var isClosing: Bool {
        if case .closing = session.phase { return true }
        return false
    }

    // MARK: Frames

    func parse() {
        if session.phase == .header {
            guard received.readableBytes >= AMQPFrame.protocolHeader.count else { return }
            perform(session.receivedHeader(received.readBytes(length: 8) ?? [], at: now))
        }
        do throws(AMQPMistake) {
            while session.takesFrames, let frame = try AMQPFrame.read(from: &received, sizeMost: session.frameMost) {
                perform(session.received(frame, at: now))
            }
        } catch {
            perform(session.failed(error, at: now))
            received.clear()
        }
        // A copy: slices of what was read are on their way, and growing shared storage would copy all of it.
        received = received.readableBytes == 0 ? ByteBuffer() : ByteBuffer(bytes: received.readableBytesView)
    }

    func perform(_ actions: [AMQPSession.Action]) {
        for action in actions { perform(action) }
        if !jobs.isEmpty { pump() }
    }

    private func perform(_ action: AMQPSession.Action) {
        switch action {
        case .send(let frame): send(frame)
        case .sendProtocolHeader: write(ByteBuffer(bytes: AMQPFrame.protocolHeader))
        case .authenticate(let user, let password): jobs.append(.authenticate(user: user, password: password))
        case .count(let channel, let epoch, let queue):
            jobs.append(.count(channel: channel, epoch: epoch, queue: queue))
        case .begin(let id, let head):
            if (head.byteCount ?? .max) <= AMQPHandler.gatherMost {
                gathering[id] = BundlePush(head, bytes: ByteBuffer())
            } else {
                jobs.append(.begin(id, head))
            }
        case .body(let id, let bytes):
            take(bytes.readableBytes)
            if gathering[id] != nil {
                gathering[id]?.bytes.writeImmutableBuffer(bytes)
            } else {
                jobs.append(.write(id, bytes))
            }
        case .finish(let id):
            jobs.append(gathering.removeValue(forKey: id).map { .push(id, $0) } ?? .finish(id))
        case .abandon(let id):
            if let push = gathering.removeValue(forKey: id) {
                give(push.bytes.readableBytes)
            } else {
                jobs.append(.abandon(id))
            }
        case .close(let reason): close(reason)
        }
    }

    private func send(_ frame: AMQPFrame) {
        if case .method(0, .connectionClose(let closing)) = frame {
            log.notice(
                "an AMQP connection is ended",
                metadata: [
                    "connector": "\(session.connector)", "amqp.code": "\(closing.code)", "reason": "\(closing.text)",
                ])
        }
        var bytes = ByteBuffer()
        frame.write(to: &bytes)
        write(bytes)
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        session.sent(at: now)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func close(_ reason: String) {
        guard let context else { return }
        log.debug("an AMQP connection ends", metadata: ["connector": "\(session.connector)", "reason": "\(reason)"])
        // NIO's close throws away what is not flushed yet; a client that does not read is not waited for long. The wait
        // ends with the flush: else it would keep what thousands of short connections held for as long as it lasts.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let patience = context.eventLoop.scheduleTask(in: .seconds(5)) { bound.value.context?.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            patience.cancel()
            bound.value.context?.close(promise: nil)
        }
    }

    // MARK: Time

    private func tick() {
        perform(
            session.tick(
                at: now, isReading: isReadPending, isWithinFrame: received.readableBytes > 0, waitsSince: waitsSince))
        if let stopping {
            self.stopping?.ticks += 1
            if stopping.ticks >= 1 { perform(session.stop(stopping.text, at: now)) }
        }
        read()
    }

    /// Lets the push at hand end, for a second or two; then says goodbye.
    private func stop(_ text: String) {
        guard stopping == nil else { return }
        stopping = (text, 0)
        if context == nil { pumping?.cancel() }
        if pumping == nil { perform(session.stop(text, at: now)) }
        read()
    }

    private func closeNow() {
        pumping?.cancel()
        context?.close(promise: nil)
    }
}

extension Moment {
    init(_ deadline: NIODeadline) {
        self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    }
}
