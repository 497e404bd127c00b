internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import WeirWires

/// Publishes messages over one AMQP connection, with confirms, `mandatory` and heartbeats.
///
/// As pycti it opens a connection for a bundle and closes it behind it; unlike pycti it sends on while confirms are on
/// their way, and a message that leads to no queue is refused instead of being confirmed and lost.
struct QueuePublisher: Sendable {
    let address: BrokerAddress
    let tls: TLSConfiguration?
    /// Says whether the broker holds us back.
    let onHold: @Sendable (Bool) -> Void

    /// Seconds. Without a sign of life for twice as long a connection counts as broken. Source: pycti asks for 10 too.
    static let heartbeat: UInt16 = 10
    private static let frameMost = 131_072

    private typealias Frames = NIOAsyncChannel<AMQPFrame, ByteBuffer>

    /// Publishes until all messages of the window are taken.
    func publish(
        _ window: inout ConfirmWindow, message: (Int) -> ByteBuffer
    ) async throws {
        let channel = try await connect()
        window.connected()
        // A value may not be changed from within the closure while it is lent: it goes in and comes out.
        var current = window
        defer { window = current }
        try await channel.executeThenClose { inbound, outbound in
            var line = AMQPLine(inbound.makeAsyncIterator(), outbound, frameMost: QueuePublisher.frameMost)
            do {
                try await line.open(address, heartbeat: QueuePublisher.heartbeat)
                try await send(&current, over: &line, message)
                await line.close()
            } catch let error as QueueFailure {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                throw QueueFailure.lost("the connection broke: \(error)")
            }
        }
    }

    private func send(
        _ window: inout ConfirmWindow, over line: inout AMQPLine, _ message: (Int) -> ByteBuffer
    ) async throws {
        var hasNoQueue = false
        while !window.isDone {
            while let next = window.next() {
                try await line.publish(message(next), exchange: address.exchange, routingKey: address.routingKey)
            }
            guard window.isWaiting else { throw QueueFailure.refused(hasNoQueue: hasNoQueue) }
            switch try await line.read() {
            case .basicAck(let tag, let isMultiple): window.acked(tag, isMultiple: isMultiple)
            case .basicNack(let tag, let isMultiple, _): window.nacked(tag, isMultiple: isMultiple)
            case .basicReturn: hasNoQueue = true
            case .connectionBlocked: onHold(true)
            case .connectionUnblocked: onHold(false)
            default: break
            }
        }
        onHold(false)
    }

    private func connect() async throws -> Frames {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
        let context = address.usesTLS ? try NIOSSLContext(configuration: tls ?? .makeClientConfiguration()) : nil
        // An address is verified as one; it is no name that could be asked for.
        let name = (try? SocketAddress(ipAddress: address.host, port: address.port)) == nil ? address.host : nil
        do {
            return try await bootstrap.connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context {
                        try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: name))
                    }
                    let silence = TimeAmount.seconds(2 * Int64(QueuePublisher.heartbeat))
                    try pipeline.addHandler(IdleStateHandler(readTimeout: silence))
                    try pipeline.addHandler(ByteToMessageHandler(AMQPFrameDecoder(frameMost: QueuePublisher.frameMost)))
                    try pipeline.addHandler(AMQPLifeHandler(interval: .seconds(Int64(QueuePublisher.heartbeat) / 2)))
                    return try Frames(
                        wrappingChannelSynchronously: channel,
                        // While we wait to write, confirms of the whole window may come: reading must go on.
                        configuration: .init(backPressureStrategy: .init(lowWatermark: 256, highWatermark: 1_024)))
                }
            }
        } catch {
            throw QueueFailure.lost("no connection to \(address.host):\(address.port): \(error)")
        }
    }
}
