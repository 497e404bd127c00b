import NIOCore
import NIOPosix
import Synchronization
import WeirCalls
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

/// Sends datagrams to one address. Nobody answers, so nothing is ever known to have arrived.
final class DatagramSender: Sendable {
    private let address: NetworkAddress
    private let resolved: String?
    private let world: World
    private let eventLoops: any EventLoopGroup
    private let socket = Mutex<(channel: any Channel, remote: SocketAddress)?>(nil)
    /// Datagrams that go to the kernel in one go.
    private static let group = 64

    init(address: NetworkAddress, resolved: String?, means: DestinationMeans) {
        self.address = address
        self.resolved = resolved
        world = means.world
        eventLoops = means.eventLoops
    }

    func open() async throws(DeliveryFailure) {
        if socket.withLock({ $0 != nil }) { return }
        let remote = try await lookUp()
        let channel: any Channel
        do {
            // Not connected: a refusal that some earlier datagram met would fail the next one.
            channel = try await DatagramBootstrap(group: eventLoops)
                .bind(host: remote.protocol == .inet6 ? "::" : "0.0.0.0", port: 0).get()
        } catch {
            throw .unreachable(NetworkReason.of(error, peer: address.description))
        }
        let extra = socket.withLock { socket -> (any Channel)? in
            if socket != nil { return channel }
            socket = (channel, remote)
            return nil
        }
        extra?.close(promise: nil)
    }

    private func lookUp() async throws(DeliveryFailure) -> SocketAddress {
        let (host, port) = (resolved ?? address.host, address.port)
        if let literal = try? SocketAddress(ipAddress: host, port: port) { return literal }
        // The C library's resolver blocks.
        let lane = world.blocking.lane("resolve")
        defer { lane.close() }
        do {
            return try await lane.run { try SocketAddress.makeAddressResolvingHost(host, port: port) }
        } catch {
            throw .unreachable(Reason("dns_failed", "The name of \(address) cannot be looked up."))
        }
    }

    /// Returns when the operating system has taken or refused them all.
    func send(_ datagrams: [ByteBuffer]) async throws(DeliveryFailure) {
        if socket.withLock({ $0 == nil }) { try await open() }
        guard let (channel, remote) = socket.withLock({ $0 }) else {
            throw .unreachable(Reason("connection_closed", "The socket towards \(address) is closed."))
        }
        for start in stride(from: 0, to: datagrams.count, by: Self.group) {
            if Task.isCancelled { throw .cancelled }
            let part = Array(datagrams[start..<min(start + Self.group, datagrams.count)])
            let promise = channel.eventLoop.makePromise(of: Void.self)
            channel.eventLoop.execute {
                for (index, datagram) in part.enumerated() {
                    let envelope = AddressedEnvelope(remoteAddress: remote, data: datagram)
                    channel.write(envelope, promise: index == part.count - 1 ? promise : nil)
                }
                channel.flush()
            }
            do {
                try await promise.futureResult.get()
            } catch ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed {
                forget(channel)
                throw .unreachable(Reason("connection_closed", "The socket towards \(address) is closed."))
            } catch {
                // The kernel refused this one (no route, no buffer): it is gone, as any datagram may be.
                continue
            }
        }
    }

    func close() async {
        let standing = socket.withLock { socket -> (any Channel)? in
            defer { socket = nil }
            return socket?.channel
        }
        _ = try? await standing?.close().get()
    }

    private func forget(_ channel: any Channel) {
        socket.withLock { if $0?.channel === channel { $0 = nil } }
    }
}

/// Cuts what is too long for one datagram.
enum Datagram {
    /// At most `most` bytes; a longer one is cut between characters and ends with "…".
    static func cut(_ content: ByteBuffer, most: Int) -> ByteBuffer {
        guard content.readableBytes > most else { return content }
        let view = content.readableBytesView
        var end = max(most - 3, 0)
        // Back to the beginning of a UTF-8 sequence.
        while end > 0, view[view.startIndex + end] & 0xC0 == 0x80 { end -= 1 }
        var cut = content.getSlice(at: content.readerIndex, length: end) ?? ByteBuffer()
        cut.writeString("…")
        return cut
    }
}
