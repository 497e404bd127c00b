internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// An open connection, for whoever is on no event loop.
struct BrokerLink: Sendable {
    let handler: NIOLoopBound<BrokerHandler>
    let loop: any EventLoop

    func execute(_ body: @escaping @Sendable (BrokerHandler) -> Void) {
        loop.execute { [handler] in body(handler.value) }
    }
}

/// Carries out what a `BrokerSession` decides, on the connection's event loop.
///
/// Bundles go to the inbox as they come: small ones in one piece, others by way of a file. It reads on only while what
/// is not there yet is little, so memory depends neither on the size of a bundle nor on who is slow.
final class BrokerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Answer = @Sendable (Result<(lane: BrokerLane, last: AMQPMethod), BrokerTrouble>) -> Void

    /// What an error of the connection means.
    typealias Fault = @Sendable (any Error, ChannelPipeline.SynchronousOperations) -> BrokerTrouble

    /// What is told to whoever owns the connection; called on the event loop.
    struct Events: Sendable {
        var opened: @Sendable (BrokerLink, _ brokerVersion: String) -> Void
        /// A lane that consumed is over.
        var laneEnded: @Sendable (BrokerLane, BrokerTrouble) -> Void
        var closed: @Sendable (BrokerTrouble) -> Void
    }

    /// Bytes on their way to the inbox.
    static let windowMost = 4 << 20
    /// A bundle that cannot be kept is asked for again after this.
    private static let requeueAfter = TimeAmount.seconds(10)

    private var session: BrokerSession
    private let inbox: BrokerInbox
    private let intake: BrokerIntake
    private let events: Events
    private var context: ChannelHandlerContext?
    private var loop: (any EventLoop)?
    private var received = ByteBuffer()
    private var gathering: [BrokerDelivery: ByteBuffer] = [:]
    private var answers: [BrokerLane: Answer] = [:]
    private var jobs: [BrokerIntake.Job] = []
    private var spooling = BrokerIntake.Spooling()
    private var pumping: Task<Void, Never>?
    private var pendingBytes = 0
    private var isReadPending = false
    private var ticks: RepeatedTask?
    private let fault: Fault
    private var failure: BrokerTrouble?

    init(
        _ settings: BrokerSession.Settings, inbox: BrokerInbox, intake: BrokerIntake, events: Events,
        fault: @escaping Fault, now: NIODeadline
    ) {
        session = BrokerSession(settings, at: Moment(now))
        self.inbox = inbox
        self.intake = intake
        self.events = events
        self.fault = fault
    }

    private var now: Moment { loop.map { Moment($0.now) } ?? .zero }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        ticks = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.tick()
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        perform(session.connected())
        context.fireChannelActive()
        read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
        do throws(AMQPMistake) {
            while session.phase != .closed, let frame = try AMQPFrame.read(from: &received, sizeMost: session.frameMost)
            {
                perform(session.received(frame, at: now))
            }
        } catch {
            perform(session.failed(error, at: now))
            received.clear()
        }
        // A copy: slices of what was read are on their way, and growing shared storage would copy all of it.
        received = received.readableBytes == 0 ? ByteBuffer() : ByteBuffer(bytes: received.readableBytesView)
        pump()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadPending = false
        context.flush()
        read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first one says why; others follow from it.
        if failure == nil { failure = fault(error, context.pipeline.syncOperations) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasGone()
        context.fireChannelInactive()
    }

    // Without a connection it was never active.
    func handlerRemoved(context: ChannelHandlerContext) { hasGone() }

    private func hasGone() {
        guard context != nil else { return }
        ticks?.cancel()
        perform(session.end(failure ?? BrokerTrouble(.unreachable, "RabbitMQ closed the connection.")))
        gathering = [:]
        pump()
        context = nil
    }

    private func read() {
        guard !isReadPending, pendingBytes < BrokerHandler.windowMost, let context, context.channel.isActive else {
            return
        }
        isReadPending = true
        context.read()
    }

    private func tick() {
        perform(session.tick(at: now, isReading: isReadPending))
        context?.flush()
    }

    // MARK: Orders

    func open(_ connector: ConnectorID, _ steps: [AMQPMethod], isOneOff: Bool, _ answer: @escaping Answer) {
        guard let (lane, actions) = session.openLane(connector, steps, isOneOff: isOneOff) else {
            let most = session.channelMost
            return answer(
                .failure(
                    session.phase == .open
                        ? BrokerTrouble(
                            .queue, "All \(most) channels of the connection are in use: raise RabbitMQ's `channel_max`."
                        )
                        : BrokerTrouble(.unreachable, "Weir is not connected with RabbitMQ.")))
        }
        answers[lane] = answer
        if !isOneOff { inbox.began(lane) }
        perform(actions)
        context?.flush()
    }

    /// These bundles are dealt with.
    func acknowledge(_ deliveries: [BrokerDelivery]) {
        for delivery in deliveries { perform(session.settle(delivery, isAcknowledged: true)) }
        context?.flush()
    }

    func close(_ lane: BrokerLane) {
        perform(session.closeLane(lane.channel, BrokerTrouble(.stopped, "The connector was removed.")))
        context?.flush()
    }

    func stop() {
        perform(session.stop(at: now))
        context?.flush()
    }

    // MARK: Actions

    private func perform(_ actions: [BrokerSession.Action]) { for action in actions { perform(action) } }

    private func perform(_ action: BrokerSession.Action) {
        switch action {
        case .sendProtocolHeader:
            write(ByteBuffer(bytes: AMQPFrame.protocolHeader))
            context?.flush()
        case .send(let frame):
            var bytes = ByteBuffer()
            frame.write(to: &bytes)
            write(bytes)
        case .opened(let version):
            guard let loop = context?.eventLoop else { return }
            events.opened(BrokerLink(handler: NIOLoopBound(self, eventLoop: loop), loop: loop), version)
        case .completed(let lane, let method): answers.removeValue(forKey: lane)?(.success((lane, method)))
        case .ended(let lane, let trouble):
            intake.drop(inbox.ended(lane))
            if let answer = answers.removeValue(forKey: lane) {
                answer(.failure(trouble))
            } else {
                events.laneEnded(lane, trouble)
            }
        case .begin(let delivery):
            if inbox.begin(delivery) {
                gathering[delivery] = ByteBuffer()
            } else {
                jobs.append(.begin(delivery))
            }
        case .body(let delivery, let bytes):
            if gathering[delivery] != nil {
                gathering[delivery]?.writeImmutableBuffer(bytes)
            } else {
                pendingBytes += bytes.readableBytes
                jobs.append(.write(delivery, bytes))
            }
        case .finish(let delivery):
            jobs.append(gathering.removeValue(forKey: delivery).map { .whole(delivery, $0) } ?? .finish(delivery))
        case .abandon(let delivery):
            if gathering.removeValue(forKey: delivery) == nil { jobs.append(.abandon(delivery)) }
        case .close(let trouble):
            events.closed(trouble)
            close()
        }
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        session.sent(at: now)
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    private func close() {
        guard let context else { return }
        // NIO's close throws away what is not flushed yet.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in
            bound.value.context?.close(promise: nil)
        }
    }

    // MARK: On the way to the inbox

    private func pump() {
        guard pumping == nil, !jobs.isEmpty, let loop else { return }
        let batch = jobs
        jobs = []
        let bound = NIOLoopBound(self, eventLoop: loop)
        let intake = intake
        // Owned by this connection, one at a time; it waits for nothing but the disk.
        pumping = Task { [spooling] in
            var spooling = spooling
            var refused: [BrokerDelivery] = []
            for job in batch {
                if await !intake.run(job, &spooling) { refused.append(job.delivery) }
            }
            loop.execute { [spooling, refused] in bound.value.pumped(batch, spooling, refused) }
        }
    }

    private func pumped(
        _ batch: [BrokerIntake.Job], _ spooling: BrokerIntake.Spooling, _ refused: [BrokerDelivery]
    ) {
        self.spooling = spooling
        pumping = nil
        pendingBytes -= batch.reduce(0) { $0 + $1.pendingBytes }
        if let context, !refused.isEmpty {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: BrokerHandler.requeueAfter) { bound.value.requeue(refused) }
        }
        // Nobody will finish what has begun.
        if context == nil { jobs = spooling.deliveries.map { .abandon($0) } }
        pump()
        read()
    }

    private func requeue(_ deliveries: [BrokerDelivery]) {
        for delivery in deliveries {
            inbox.forget(delivery)
            perform(session.settle(delivery, isAcknowledged: false))
        }
        context?.flush()
    }
}
