internal import NIOCore
internal import NIOSSL
import Synchronization
internal import WeirFlow
internal import WeirWorld

/// The listeners of a source that reads streams, and the life of its connections.
final class StreamServer: Sendable {
    private let listen: [String]
    private let tls: ServerTLS?
    private let group: any EventLoopGroup
    private let shared: StreamShared
    private let addHandler: @Sendable (any Channel, Bool) throws -> Void
    private let listeners = Mutex<[Listener]>([])

    /// - Parameter cutter: makes the value that cuts one connection's stream.
    init<Cutter: StreamCutter>(
        listen: [String], tls: ServerTLS?, group: any EventLoopGroup, shared: StreamShared,
        cutter: @escaping @Sendable () -> Cutter
    ) {
        self.listen = listen
        self.tls = tls
        self.group = group
        self.shared = shared
        addHandler = { channel, isPlain in
            // Behind TLS the socket's reads are not what we see, so the room in front of them would be of no use.
            let room = isPlain ? ReceiveRoom() : nil
            if let room {
                try channel.syncOptions?.setOption(.recvAllocator, value: room)
            }
            try channel.pipeline.syncOperations.addHandler(
                StreamHandler(shared: shared, cutter: cutter(), room: room))
        }
    }

    var addresses: [String] { listeners.withLock { $0.compactMap(\.address) } }
    /// The port of each listener, in the order of `listen`; `nil` for a Unix domain socket.
    var ports: [Int?] { listeners.withLock { $0.map(\.port) } }
    var heldBytes: Int { shared.budget.bytes }

    func open() async throws(SourceFailure) {
        let context: NIOSSLContext?
        if let tls { context = try tls.context() } else { context = nil }
        for text in listen {
            guard let address = ListenAddress(text) else { continue }
            let listener = Listener(group: group, meter: shared.meter, log: shared.world.log)
            do throws(SourceFailure) {
                try await listener.open(at: address) { [addHandler] channel in
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try addHandler(channel, context == nil)
                }
            } catch {
                await stop()
                throw error
            }
            listeners.withLock { $0.append(listener) }
        }
    }

    func run() async {
        await withTaskCancellationHandler {
            await shared.streams.finished()
        } onCancel: {
            shared.streams.cancel()
        }
        await closeListeners()
    }

    func stop() async {
        await closeListeners()
        shared.streams.stop()
    }

    private func closeListeners() async {
        let open = listeners.withLock { $0 }
        for listener in open { await listener.close() }
    }
}
