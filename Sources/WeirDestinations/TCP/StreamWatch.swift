import NIOCore
import NIOSSL
import NIOTLS
import Synchronization
import WeirGates
import WeirWorld

/// Watches one connection from inside its pipeline: the end of the handshake, the peer's end, and whether the socket
/// still takes bytes.
final class StreamWatch: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What others may ask while the connection lives on its event loop.
    final class Shared: Sendable {
        let peer: String
        private let state = Mutex<Reason?>(nil)

        init(peer: String) { self.peer = peer }

        var end: Reason? { state.withLock { $0 } }

        /// The first reason counts: what follows is its consequence.
        func ended(_ reason: Reason) { state.withLock { if $0 == nil { $0 = reason } } }
    }

    private let shared: Shared
    private let ready: EventLoopPromise<Void>
    private let hasTLS: Bool
    private let target: StreamTarget
    private var handshakeLimit: Scheduled<Void>?
    private var ticker: RepeatedTask?
    private var finishedWrites: UInt64 = 0
    private var openWrites = 0
    private var seen: (pending: Int, finished: UInt64) = (0, 0)
    private var stalledTicks = 0
    private static let ticksPerTimeout = 4

    init(shared: Shared, ready: EventLoopPromise<Void>, hasTLS: Bool, target: StreamTarget) {
        self.shared = shared
        self.ready = ready
        self.hasTLS = hasTLS
        self.target = target
    }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        if hasTLS {
            handshakeLimit = context.eventLoop.scheduleTask(in: .nanoseconds(target.connectTimeout.nanoseconds)) {
                let (watch, context) = bound.value
                watch.shared.ended(
                    Reason("connect_timeout", "\(watch.shared.peer) did not finish the TLS handshake in time."))
                context.close(promise: nil)
            }
        } else {
            ready.succeed()
        }
        let interval = TimeAmount.nanoseconds(
            max(target.writeTimeout.nanoseconds / Int64(Self.ticksPerTimeout), 1_000_000))
        ticker = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (watch, context) = bound.value
            watch.tick(context)
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            handshakeLimit?.cancel()
            ready.succeed()
        }
        context.fireUserInboundEventTriggered(event)
    }

    // What the peer says is no part of a line protocol: it is dropped, but read, so that its end is seen.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        openWrites += 1
        let promise = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in
            bound.value.openWrites -= 1
            bound.value.finishedWrites &+= 1
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A peer that ends TLS without saying goodbye is an ordinary end.
        if error as? NIOSSLError != .uncleanShutdown { shared.ended(StreamFailure.broken(error, peer: shared.peer)) }
        ready.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        shared.ended(Reason("connection_closed", "\(shared.peer) closed the connection."))
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        handshakeLimit?.cancel()
        ticker?.cancel()
        ticker = nil
        ready.fail(ChannelError.ioOnClosedChannel)
    }

    // Progress is a smaller pending amount or a finished write. Sampling costs nothing on the hot path.
    private func tick(_ context: ChannelHandlerContext) {
        guard openWrites > 0 else {
            stalledTicks = 0
            return
        }
        let pending = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if seen == (pending, finishedWrites) { stalledTicks += 1 } else { stalledTicks = 0 }
        seen = (pending, finishedWrites)
        guard stalledTicks >= Self.ticksPerTimeout else { return }
        shared.ended(
            Reason("write_timeout", "\(shared.peer) has taken nothing for \(target.writeTimeout.inSeconds) s."))
        context.close(promise: nil)
    }
}
