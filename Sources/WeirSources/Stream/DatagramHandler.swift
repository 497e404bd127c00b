internal import NIOCore
internal import WeirFlow
internal import WeirGates
internal import WeirWorld

/// Datagrams on their way to the routes: one event each, gathered for as long as one loop tick reads. Nobody who sends
/// datagrams can be held back, so they are handed on now or never, and what there is no room for is dropped and
/// counted.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// Hand over at once from here on.
    private static let handOverAt = 256 * 1_024
    /// Most senders whose datagrams are gathered at a time.
    private static let sendersMost = 64

    private let kind: EventKind
    private let intake: any Intake
    private let meter: SourceMeter
    private let world: World
    private let streams: OpenStreams
    /// Most bytes that wait while the routes take the ones before.
    private let bufferMost: Int

    private var context: ChannelHandlerContext?
    private var loop: (any EventLoop)?
    private var executor: LoopExecutor?
    private var senders: [(address: SocketAddress, builder: BatchBuilder)] = []
    private var gatheredBytes = 0
    private var waiting: [Batch] = []
    private var waitingBytes = 0
    private var handing: Task<Void, Never>?
    private var hasEnded = false
    private var hasLeft = false

    init(
        kind: EventKind, intake: any Intake, meter: SourceMeter, world: World, streams: OpenStreams, bufferMost: Int
    ) {
        self.kind = kind
        self.intake = intake
        self.meter = meter
        self.world = world
        self.streams = streams
        self.bufferMost = bufferMost
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let loop = context.eventLoop
        self.loop = loop
        executor = LoopExecutor(loop)
        let bound = NIOLoopBound(self, eventLoop: loop)
        let entrance = streams.enter(
            ObjectIdentifier(self),
            OpenStreams.Entry(
                stop: { loop.execute { bound.value.end() } }, cancel: { loop.execute { bound.value.cancel() } }))
        if entrance != .welcome { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasEnded else { return }
        let envelope = unwrapInboundIn(data)
        let place = place(of: envelope.remoteAddress)
        envelope.data.withUnsafeReadableBytes { bytes in
            let content = UnsafeRawBufferPointer(rebasing: bytes[..<Self.trimmed(bytes)])
            guard !content.isEmpty else { return meter.malformed(1, code: "empty") }
            if kind == .syslog && content.first != 0x3C { meter.malformed(1, code: "no_priority") }
            senders[place].builder.append(content)
            gatheredBytes += content.count
        }
        if gatheredBytes >= Self.handOverAt { gatherUp() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        gatherUp()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A datagram socket reports what its peers refused (ICMP); it goes on.
        meter.refused("socket_error")
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> Int {
        var end = bytes.count
        while end > 0, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D || bytes[end - 1] == 0 { end -= 1 }
        return end
    }

    private func place(of address: SocketAddress) -> Int {
        // Datagrams come in runs of one sender, so the last one is looked at first.
        if let last = senders.last, last.address == address { return senders.count - 1 }
        if let known = senders.firstIndex(where: { $0.address == address }) { return known }
        if senders.count == Self.sendersMost { gatherUp() }
        let context = BatchContext(
            kind: kind, source: meter.name, received: world.time.wall,
            attributes: ["peer": address.ipAddress ?? "local"])
        senders.append((address, BatchBuilder(context: context)))
        return senders.count - 1
    }

    private func gatherUp() {
        for index in senders.indices {
            let batch = senders[index].builder.finish()
            guard !batch.isEmpty else { continue }
            if waitingBytes + batch.byteCount > bufferMost {
                meter.dropped(batch.count, code: "buffer_full")
            } else {
                waiting.append(batch)
                waitingBytes += batch.byteCount
            }
        }
        senders.removeAll(keepingCapacity: true)
        gatheredBytes = 0
        handOver()
    }

    private func handOver() {
        guard handing == nil, !waiting.isEmpty, let loop, let executor else { return }
        let batches = waiting
        waiting = []
        waitingBytes = 0
        let bound = NIOLoopBound(self, eventLoop: loop)
        // Owned by this socket, one at a time, cancelled by `cancel`; `OpenStreams` waits for it.
        handing = Task(executorPreference: executor) { [intake, meter, world] in
            for batch in batches {
                do throws(IntakeRefusal) {
                    _ = try await intake.accept(batch, deadline: world.time.now)
                    meter.took(events: batch.count, bytes: batch.byteCount)
                } catch {
                    if case .stopped = error {
                        meter.dropped(batch.count, code: "stopped")
                    } else {
                        meter.dropped(batch.count, code: "full")
                    }
                }
            }
            loop.execute { bound.value.wasTaken() }
        }
    }

    private func wasTaken() {
        handing = nil
        handOver()
        if hasEnded && handing == nil { leave() }
    }

    private func end() {
        guard !hasEnded else { return }
        gatherUp()
        hasEnded = true
        if handing == nil { leave() }
    }

    private func cancel() {
        handing?.cancel()
        end()
    }

    private func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        context?.close(promise: nil)
        streams.leave(ObjectIdentifier(self))
    }
}
