internal import NIOCore
internal import WeirWires

/// The client's side of an AMQP 0-9-1 connection with one channel, in straight lines: what is said, and what is
/// expected in answer.
struct AMQPLine {
    private static let channel: UInt16 = 1

    private var inbound: NIOAsyncChannelInboundStream<AMQPFrame>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    /// Bytes of a frame with its overhead.
    private var frameMost: Int

    init(
        _ inbound: NIOAsyncChannelInboundStream<AMQPFrame>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, frameMost: Int
    ) {
        self.inbound = inbound
        self.outbound = outbound
        self.frameMost = frameMost
    }

    /// From the first byte to a channel with confirms (section 2.2.4 of the specification).
    mutating func open(_ address: BrokerAddress, heartbeat: UInt16) async throws {
        try await outbound.write(ByteBuffer(bytes: AMQPFrame.protocolHeader))
        guard case .connectionStart = try await read() else { throw AMQPLine.unexpected("connection.start") }
        let capabilities = AMQPTable([
            .init("publisher_confirms", .flag(true)), .init("basic.nack", .flag(true)),
            .init("connection.blocked", .flag(true)), .init("authentication_failure_close", .flag(true)),
        ])
        let login = ByteBuffer(string: "\u{0}\(address.user)\u{0}\(address.password)")
        try await say(
            .connectionStartOK(
                properties: AMQPTable([
                    .init("product", .text("WeirConnectorKit")), .init("capabilities", .table(capabilities)),
                ]), mechanism: "PLAIN", response: login, locale: "en_US"), on: 0)
        guard case .connectionTune(let offered) = try await read() else {
            throw AMQPLine.unexpected("connection.tune")
        }
        let most = UInt32(clamping: frameMost)
        let frame = offered.frameMost == 0 ? most : max(min(offered.frameMost, most), UInt32(AMQPFrame.sizeLeast))
        frameMost = Int(frame)
        try await say(
            .connectionTuneOK(
                AMQPTuning(channelMost: offered.channelMost, frameMost: frame, heartbeat: heartbeat)), on: 0)
        try await say(.connectionOpen(vhost: address.vhost), on: 0)
        guard case .connectionOpenOK = try await read() else { throw AMQPLine.unexpected("connection.open-ok") }
        try await say(.channelOpen, on: AMQPLine.channel)
        guard case .channelOpenOK = try await read() else { throw AMQPLine.unexpected("channel.open-ok") }
        try await say(.confirmSelect(noWait: false), on: AMQPLine.channel)
        guard case .confirmSelectOK = try await read() else { throw AMQPLine.unexpected("confirm.select-ok") }
    }

    mutating func publish(_ body: ByteBuffer, exchange: String, routingKey: String) async throws {
        var bytes = ByteBuffer()
        func add(_ frame: AMQPFrame) { frame.write(to: &bytes) }
        add(
            .method(
                channel: AMQPLine.channel,
                .basicPublish(exchange: exchange, routingKey: routingKey, isMandatory: true, isImmediate: false)))
        var properties = AMQPProperties()
        properties.contentEncoding = "utf-8"
        properties.deliveryMode = 2
        let header = AMQPContentHeader(bodySize: UInt64(body.readableBytes), properties: properties)
        add(.header(channel: AMQPLine.channel, header))
        var rest = body
        while let part = rest.readSlice(length: min(rest.readableBytes, frameMost - AMQPFrame.overhead)),
            part.readableBytes > 0
        {
            add(.body(channel: AMQPLine.channel, part))
        }
        try await outbound.write(bytes)
    }

    /// The next method. What ends the connection or the channel is thrown.
    mutating func read() async throws -> AMQPMethod {
        while let frame = try await inbound.next(isolation: #isolation) {
            // The header of a returned message says nothing new.
            guard case .method(_, let method) = frame else { continue }
            switch method {
            case .connectionClose(let closing):
                try? await say(.connectionCloseOK, on: 0)
                throw QueueFailure(closing)
            case .channelClose(let closing):
                try? await say(.channelCloseOK, on: AMQPLine.channel)
                throw QueueFailure(closing)
            default: return method
            }
        }
        try Task.checkCancellation()
        throw QueueFailure.lost("the broker ended the connection")
    }

    /// Goodbye; how it is answered no longer matters.
    mutating func close() async {
        try? await say(.connectionClose(AMQPClosing(.success, "goodbye")), on: 0)
        while let frame = try? await inbound.next(isolation: #isolation) {
            if case .method(_, .connectionCloseOK) = frame { return }
        }
    }

    private func say(_ method: AMQPMethod, on channel: UInt16) async throws {
        var bytes = ByteBuffer()
        AMQPFrame.method(channel: channel, method).write(to: &bytes)
        try await outbound.write(bytes)
    }

    private static func unexpected(_ wanted: String) -> QueueFailure {
        .lost("the broker answered something else than \(wanted)")
    }
}
