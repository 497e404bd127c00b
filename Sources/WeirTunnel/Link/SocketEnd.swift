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
    private var isFinishing = false
    private var isOver = false

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

    init(link: Link, stream: UInt32, meter: any StreamMeter, atEnd: @escaping (Outcome) -> Void) {
        self.atEnd = atEnd
        self.link = link
        self.stream = stream
        self.meter = meter
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
        guard !isOver else { return cut(context) }
        self.context = context
        let early = early
        self.early = []
        for bytes in early { gather(bytes, context) }
        receivedAll()
        finishIfWritten()
        read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pending.append(unwrapInboundIn(data))
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

    var hasBytes: Bool { !pending.isEmpty }

    var isDone: Bool { hasInputEnded && pending.isEmpty }

    func next(most: Int) -> ByteBuffer? {
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
    }

    func waitsForCredit(_ waits: Bool) { meter.waits(.toTarget, .credit, waits) }

    func received(_ bytes: ByteBuffer) {
        bytesReceived += Int64(bytes.readableBytes)
        meter.received(bytes.readableBytes)
        guard !isOver else { return link.taken(bytes.readableBytes, of: stream) }
        guard let context else { return early.append(bytes) }
        gather(bytes, context)
    }

    private func gather(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
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
        meter.room(link.room(of: stream))
        let written = context.eventLoop.makePromise(of: Void.self)
        let began = meter.writes(amount)
        written.futureResult.assumeIsolated().whenComplete { result in self.wrote(amount, began, result) }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        // Mostly the kernel has taken it by now.
        if unwritten > 0, !isReceiverSlow {
            isReceiverSlow = true
            meter.waits(.toClient, .receiver, true)
        }
    }

    private func wrote(_ amount: Int, _ began: StreamWrite, _ result: Result<Void, any Error>) {
        unwritten -= amount
        if unwritten == 0, isReceiverSlow {
            isReceiverSlow = false
            meter.waits(.toClient, .receiver, false)
        }
        switch result {
        case .success:
            meter.drained(amount, began)
            link.taken(amount, of: stream)
            meter.room(link.room(of: stream))
        case .failure:
            // The channel is closing; its end resets the stream.
            link.taken(amount, of: stream)
        }
        finishIfWritten()
    }

    func finished() {
        meter.finishReceived()
        isFinishing = true
        finishIfWritten()
    }

    private func finishIfWritten() {
        guard isFinishing, !hasOutputEnded, unwritten == 0, last == nil, let context else { return }
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
        if let context { cut(context) }
    }

    private func cut(_ context: ChannelHandlerContext) {
        // RST instead of FIN: a transfer that broke off must not look like one that ended. It is set at once, because
        // this is the channel's event loop; a channel that is no socket is only closed.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }

    private func over(_ reason: StreamReason?, byPeer: Bool) {
        isOver = true
        pending.removeAll()
        early = []
        last = nil
        meter.ended(reason, byPeer: byPeer)
        atEnd(Outcome(reason: reason, byPeer: byPeer, sent: bytesSent, received: bytesReceived))
    }
}

/// Since when a write is on its way.
package struct StreamWrite: Sendable {
    var received: Moment
    var written: Moment
}

/// What a stream's end tells about itself. Called on the event loop; must be quick.
package protocol StreamMeter: AnyObject {
    func sent(_ bytes: Int)
    func received(_ bytes: Int)
    /// So many bytes may still come before the receiver has to take some.
    func room(_ bytes: Int)
    /// A write begins: time it.
    func writes(_ bytes: Int) -> StreamWrite
    /// The kernel has taken it.
    func drained(_ bytes: Int, _ began: StreamWrite)
    /// From now on it waits for that, or no longer does. Told again and again; only a change counts.
    func waits(_ direction: ConnectorFigures.Direction, _ cause: ConnectorFigures.Cause, _ waits: Bool)
    func finishSent()
    func finishReceived()
    /// - Parameter reason: `nil` when both directions ended as they should.
    func ended(_ reason: StreamReason?, byPeer: Bool)
}
