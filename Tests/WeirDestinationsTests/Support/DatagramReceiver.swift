import NIOCore
import NIOPosix
import Synchronization

/// Keeps the datagrams that come to a port of loopback.
final class DatagramReceiver: Sendable {
    private let datagrams = Mutex<[String]>([])
    private let channel = Mutex<(any Channel)?>(nil)

    static func start() async throws -> DatagramReceiver {
        let receiver = DatagramReceiver()
        let channel = try await DatagramBootstrap(group: Bench.eventLoops)
            .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramKeeper(receiver))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        receiver.channel.withLock { $0 = channel }
        return receiver
    }

    var address: String { "127.0.0.1:\(channel.withLock { $0?.localAddress?.port ?? 0 })" }
    var received: [String] { datagrams.withLock { $0 } }

    func waitFor(_ count: Int) async throws -> [String] {
        for _ in 0..<500 where received.count < count { try await Task.sleep(for: .milliseconds(10)) }
        return received
    }

    func stop() async { try? await channel.withLock { $0 }?.close().get() }

    fileprivate func took(_ text: String) { datagrams.withLock { $0.append(text) } }
}

private final class DatagramKeeper: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let receiver: DatagramReceiver

    init(_ receiver: DatagramReceiver) { self.receiver = receiver }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receiver.took(String(buffer: unwrapInboundIn(data).data))
    }
}
