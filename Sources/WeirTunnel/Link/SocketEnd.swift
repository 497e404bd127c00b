internal import DequeModule
internal import NIOCore
internal import WeirWires
internal import WeirWorld

#if canImport(Glibc)
    internal import Glibc
#endif

/// Joins a stream and a TCP socket: a client's at the hub, the target's at the agent. The socket's channel lives on the
/// link's event loop, reads only when asked (`autoRead` off), one message a read, and may be half closed.
///
/// FIN becomes FIN and RST becomes RST, in both directions. The socket is read again when the stream has sent what was
/// read before, and no more than the stream has credit for; so what a stalled receiver holds up lies in the sender's
/// kernel.
final class SocketEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What is measured while it runs and told at its end, on the event loop.
    let meter: any StreamMeter
    /// Told once, at the end.
    private let atEnd: (Outcome) -> Void
    let link: Link
    let stream: UInt32
    let limits: StreamLimits
    private(set) var context: ChannelHandlerContext?
    private(set) var isOver = false
    /// The channel is closing, and not because all was said: its end resets the stream.
    var hasFailed = false
    private var deadline: Scheduled<Void>?

    // From the socket to the stream (SocketEnd+Reading).
    /// Of the socket's channel.
    let allowance = ReadAllowance()
    var pending = Deque<ByteBuffer>()
    var isReadPending = false
    /// The most credit that there has been, in bytes: the stream's window is no smaller.
    var creditMost = YamuxHeader.windowFirst
    var hasInputEnded = false
    var bytesSent: Int64 = 0
    /// Bandwidth; `nil` where nothing limits it.
    let sending: RateLeave?
    /// What is pending has no leave yet.
    var isHeldByRate = false
    var isWithoutCredit = false
    var isHeldByLink = false
    var passage = Passage()
    var passageLast = Moment.zero
    /// The channel's first read is over.
    var hasRead = false

    // From the stream to the socket (SocketEnd+Writing).
    /// From before there was a socket.
    var early: [ByteBuffer] = []
    /// To be written: the last of this turn, kept back for the promise.
    var last: ByteBuffer?
    var gathered = 0
    var unwritten = 0
    var isReceiverSlow = false
    /// What the kernel did not take at once, since when, and how many bytes are left of it.
    var slowWrite: (began: Moment, write: Duration, left: Int)?
    var writeLast = Moment.zero
    var isFinishing = false
    var hasOutputEnded = false
    var bytesReceived: Int64 = 0
    let receiving: RateLeave?
    /// Without leave to be written. Not taken, so it counts against the window.
    var held = Deque<ByteBuffer>()
    var heldBytes = 0

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

    /// What both directions may still carry.
    var bytesLeft: Int64 { limits.bytesMost.map { $0 - bytesSent - bytesReceived } ?? .max }

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
        // Whatever is no socket (a simulation's) reads as it likes.
        if context.channel is any SocketOptionProvider {
            try? context.channel.syncOptions?.setOption(.recvAllocator, value: allowance)
        }
        writeEarly(context)
        read()
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

    // MARK: The end

    func closeIfDone() {
        guard hasInputEnded, hasOutputEnded, pending.isEmpty, let context else { return }
        context.close(promise: nil)
    }

    func reset(_ reason: StreamReason) {
        guard !isOver else { return }
        over(reason, byPeer: true)
        if let context { Self.cut(context.channel) }
    }

    /// Of our own: what was allowed is used up.
    func end(_ reason: StreamReason) {
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

    func over(_ reason: StreamReason?, byPeer: Bool) {
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
