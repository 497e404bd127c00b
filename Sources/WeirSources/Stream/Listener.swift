internal import Logging
internal import NIOCore
internal import NIOPosix
import Synchronization
internal import WeirFlow
internal import WeirGates
internal import WeirWires
import WeirWorld

#if canImport(Glibc)
    import Glibc
#endif

/// A listening TCP (or Unix domain) socket of a source.
final class Listener: Sendable {
    private let group: any EventLoopGroup
    private let channel = Mutex<(any Channel)?>(nil)
    private let meter: SourceMeter
    private let log: Logger

    init(group: any EventLoopGroup, meter: SourceMeter, log: Logger) {
        self.group = group
        self.meter = meter
        self.log = log
    }

    /// - Parameters:
    ///   - isTuned: reads are asked for by the handlers, one at a time.
    ///   - connected: builds the pipeline of a new connection, on its event loop.
    func open(
        at address: ListenAddress, isTuned: Bool = true,
        connected: @escaping @Sendable (any Channel) throws -> Void
    ) async throws(SourceFailure) {
        let meter = meter
        let log = log
        let resolved = try address.resolved()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Fewer in one go than the reserve of descriptors, which is looked at before each.
            .serverChannelOption(.maxMessagesPerRead, value: 4)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptRest { news in Listener.tell(news, meter, log) })
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try connected(channel) }
            }
            .childChannelOption(.autoRead, value: !isTuned)
            .childChannelOption(.maxMessagesPerRead, value: isTuned ? UInt(1) : UInt(4))
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
        do {
            let bound = try await bootstrap.bind(to: resolved).get()
            channel.withLock { $0 = bound }
        } catch {
            throw Listener.failure(error, resolved.plainText)
        }
    }

    private static func tell(_ news: AcceptRest.News, _ meter: SourceMeter, _ log: Logger) {
        switch news {
        case .refused(let code, let isFirst):
            meter.refused("too_many_open_files")
            guard isFirst else { return }
            log.warning(
                "no connection can be accepted: descriptors or memory are used up",
                metadata: ["source": "\(meter.name)", "error.code": "\(code)"])
        case .accepting: log.notice("connections are accepted again", metadata: ["source": "\(meter.name)"])
        }
    }

    static func failure(_ error: any Error, _ address: String) -> SourceFailure {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            SourceFailure(
                Reason("address_in_use", "Another program listens at \(address) already."),
                help: "Choose another port, or stop that program.")
        case EACCES:
            SourceFailure(
                Reason("permission_denied", "Weir may not listen at \(address)."),
                help: "Ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one.")
        case EADDRNOTAVAIL:
            SourceFailure(
                Reason("bad_address", "\(address) is not an address of this machine."), help: "See `ip address`.")
        default: SourceFailure(Reason("cannot_listen", "Weir cannot listen at \(address): \(error)."))
        }
    }

    var port: Int? { channel.withLock { $0?.localAddress?.port } }
    var address: String? { channel.withLock { $0?.localAddress?.plainText } }

    func close() async {
        let open = channel.withLock { channel in
            defer { channel = nil }
            return channel
        }
        try? await open?.close().get()
    }
}
