internal import NIOCore
internal import NIOPosix
import Synchronization
internal import WeirFlow
internal import WeirGates
internal import WeirWorld

/// A bound UDP socket of a source.
final class DatagramSocket: Sendable {
    /// Datagrams read with one system call.
    private static let readMost = 32
    private static let datagramMost = 65_536

    private let channel = Mutex<(any Channel)?>(nil)

    /// - Parameter receiveBuffer: what the kernel may hold for us, bytes; it gives at most `net.core.rmem_max`.
    func open(
        at address: SocketAddress, group: any EventLoopGroup, receiveBuffer: Int,
        handler: @escaping @Sendable () -> DatagramHandler
    ) async throws(SourceFailure) {
        let bootstrap = DatagramBootstrap(group: group)
            .channelOption(.socketOption(.so_rcvbuf), value: .init(clamping: receiveBuffer))
            .channelOption(.datagramVectorReadMessageCount, value: DatagramSocket.readMost)
            .channelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: DatagramSocket.readMost * DatagramSocket.datagramMost)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler()) }
            }
        do {
            let bound = try await bootstrap.bind(to: address).get()
            channel.withLock { $0 = bound }
        } catch {
            throw Listener.failure(error, address.plainText)
        }
    }

    var address: String? { channel.withLock { $0?.localAddress?.plainText } }
}
