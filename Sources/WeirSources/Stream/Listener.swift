internal import Logging
internal import NIOCore
internal import NIOPosix
import Synchronization
internal import WeirFlow
internal import WeirGates
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
                    try channel.pipeline.syncOperations.addHandler(AcceptTrouble(meter: meter, log: log))
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

/// Accepts no connection while only the reserve of descriptors is left, or memory is used up: says so, and rests a
/// second before the next attempt; connections wait in the kernel's backlog meanwhile. NIO's own handler delays reads
/// too, but leaves the listening socket registered, so that the event loop would spin on it.
final class AcceptTrouble: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    private let meter: SourceMeter
    private let log: Logger
    private var isTroubled = false

    init(meter: SourceMeter, log: Logger) {
        self.meter = meter
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isTroubled {
            isTroubled = false
            log.notice("connections are accepted again", metadata: ["source": "\(meter.name)"])
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        guard Descriptors.areScarce else { return context.read() }
        rest(context.channel, EMFILE)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let code = (error as? IOError)?.errnoCode
        if let code, code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM {
            rest(context.channel, code)
        }
        context.fireErrorCaught(error)
    }

    private func rest(_ channel: any Channel, _ code: CInt) {
        meter.refused("too_many_open_files")
        if !isTroubled {
            isTroubled = true
            log.warning(
                "no connection can be accepted: descriptors or memory are used up",
                metadata: ["source": "\(meter.name)", "error.code": "\(code)"])
        }
        channel.setOption(.autoRead, value: false).whenSuccess { Self.retry(channel) }
    }

    private static func retry(_ channel: any Channel) {
        channel.eventLoop.scheduleTask(in: .seconds(1)) {
            // The option reads at once, past this handler: so the room is looked at here too.
            if Descriptors.areScarce { return retry(channel) }
            // Fails only when the listener was closed meanwhile.
            _ = channel.setOption(.autoRead, value: true)
        }
    }
}
