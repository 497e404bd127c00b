import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A receiver on loopback that does what a test says: reads, stops reading, closes, resets, talks back.
final class StreamReceiver: Sendable {
    enum Manner: Sendable {
        case reads
        /// Takes connections and never reads: a black hole once the buffers are full.
        case neverReads
        /// Closes each connection after so many bytes.
        case closesAfter(Int)
        /// Resets each connection after so many bytes.
        case resetsAfter(Int)
        /// Sends its end at once, and reads on.
        case halfCloses
        /// Says something that nobody asked for, and reads on.
        case chatters
        /// Reads at most so many bytes, with a pause after each read.
        case slow(Int, TimeAmount)
    }

    private struct State {
        var bytes = ByteBuffer()
        var connections = 0
        var open: [any Channel] = []
        var isSilent = false
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    private let server = Mutex<(any Channel)?>(nil)
    let port: Int

    private init(port: Int) { self.port = port }

    static func start(_ manner: Manner = .reads, port: Int = 0, tls: NIOSSLContext? = nil) async throws
        -> StreamReceiver
    {
        let box = Mutex<StreamReceiver?>(nil)
        let channel = try await ServerBootstrap(group: Bench.eventLoops)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        ReceiverHandler(manner: manner, receiver: { box.withLock { $0 } }))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        let receiver = StreamReceiver(port: channel.localAddress?.port ?? 0)
        receiver.server.withLock { $0 = channel }
        box.withLock { $0 = receiver }
        return receiver
    }

    var address: String { "127.0.0.1:\(port)" }
    var received: ByteBuffer { state.withLock { $0.bytes } }
    var text: String { String(buffer: received) }
    var connections: Int { state.withLock { $0.connections } }

    /// From now on nothing is read any more.
    func fallSilent() { state.withLock { $0.isSilent = true } }

    fileprivate var isSilent: Bool { state.withLock { $0.isSilent } }

    /// Waits until so many bytes have come in all.
    func waitForBytes(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.bytes.readableBytes >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func stop() async {
        let open = state.withLock { $0.open }
        for channel in open { try? await channel.close().get() }
        let channel = server.withLock { $0 }
        try? await channel?.close().get()
    }

    fileprivate func connected(_ channel: any Channel) {
        state.withLock {
            $0.connections += 1
            $0.open.append(channel)
        }
    }

    fileprivate func took(_ buffer: ByteBuffer) -> Int {
        let (total, due) = state.withLock { state in
            state.bytes.writeImmutableBuffer(buffer)
            let total = state.bytes.readableBytes
            let due = state.waiters.filter { $0.count <= total }
            state.waiters.removeAll { $0.count <= total }
            return (total, due)
        }
        for waiter in due { waiter.continuation.resume() }
        return total
    }
}

private final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let manner: StreamReceiver.Manner
    private let receiver: @Sendable () -> StreamReceiver?
    private var count = 0

    init(manner: StreamReceiver.Manner, receiver: @escaping @Sendable () -> StreamReceiver?) {
        self.manner = manner
        self.receiver = receiver
    }

    func channelActive(context: ChannelHandlerContext) {
        receiver()?.connected(context.channel)
        switch manner {
        case .neverReads: return
        case .halfCloses: context.close(mode: .output, promise: nil)
        case .chatters:
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 400 what?\r\n\u{0}\u{1}\r\n")), promise: nil)
        default: break
        }
        context.fireChannelActive()
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        count += buffer.readableBytes
        _ = receiver()?.took(buffer)
        switch manner {
        case .closesAfter(let limit) where count >= limit: context.close(promise: nil)
        case .resetsAfter(let limit) where count >= limit:
            // Linger 0 makes the close a reset.
            (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete {
                _ in
            }
            context.close(promise: nil)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if receiver()?.isSilent == true { return }
        switch manner {
        case .neverReads: break
        case .slow(_, let pause):
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: pause) { bound.value.read() }
        default: context.read()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
