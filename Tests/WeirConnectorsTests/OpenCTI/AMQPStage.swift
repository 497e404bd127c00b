import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import WeirWires
import WeirWorld

@testable import WeirConnectors

/// Keys in memory.
final class MemoryKeys: ConnectorKeys {
    private let kept = Mutex<[ConnectorID: ConnectorKey]>([:])

    func key(of id: ConnectorID, orKeep candidate: ConnectorKey) async throws(ConnectorFailure) -> ConnectorKey {
        kept.withLock { keys in
            if let key = keys[id] { return key }
            keys[id] = candidate
            return candidate
        }
    }

    func key(of id: ConnectorID) async -> ConnectorKey? { kept.withLock { $0[id] } }
    func revoke(_ id: ConnectorID) async throws(ConnectorFailure) { kept.withLock { $0[id] = nil } }
}

/// A publisher of frames at the other end of a connection whose clock stands still.
struct AMQPStage {
    let platform: RecordingPlatform
    let keys = MemoryKeys()
    let sessions = AMQPSessions(most: 10, perConnectorMost: 2, heldMost: 1 << 20)
    let channel = NIOAsyncTestingChannel()

    init(_ platform: RecordingPlatform) async throws {
        self.platform = platform
        let key = ConnectorKey(connector: "a", secret: "secret", madeAt: platform.time.wall)
        _ = try await keys.key(of: "a", orKeep: key)
        let connections = AMQPConnections(
            session: .init(), platform: platform, keys: keys, sessions: sessions,
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await channel.testingEventLoop.executeInContext { [channel] in try connections.connect(channel) }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 5_672)).get()
    }

    func send(_ frames: AMQPFrame...) async throws {
        var bytes = ByteBuffer()
        for frame in frames { frame.write(to: &bytes) }
        try await channel.writeInbound(bytes)
    }

    /// The next frame from Weir.
    func next() async throws -> AMQPFrame? {
        var bytes = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
        while bytes.readableBytes == 0 { bytes = try await channel.waitForOutboundWrite(as: ByteBuffer.self) }
        return try AMQPFrame.read(from: &bytes, sizeMost: 131_072)
    }

    func open(password: String = "secret") async throws -> AMQPFrame? {
        try await channel.writeInbound(ByteBuffer(bytes: AMQPFrame.protocolHeader))
        _ = try await next()
        let capabilities = AMQPTable([
            .init("authentication_failure_close", .flag(true)), .init("connection.blocked", .flag(true)),
        ])
        try await send(
            .method(
                channel: 0,
                .connectionStartOK(
                    properties: AMQPTable([.init("capabilities", .table(capabilities))]), mechanism: "PLAIN",
                    response: ByteBuffer(string: "\0a\0\(password)"), locale: "en_US")))
        guard let tune = try await next(), case .method(0, .connectionTune(let tuning)) = tune else { return nil }
        try await send(.method(channel: 0, .connectionTuneOK(tuning)), .method(channel: 0, .connectionOpen(vhost: "/")))
        _ = try await next()
        try await send(.method(channel: 1, .channelOpen), .method(channel: 1, .confirmSelect(noWait: false)))
        _ = try await next()
        return try await next()
    }

    func publish(_ body: String, frame: Int = 100_000, key: String = "push_routing_a") async throws {
        try await send(
            .method(
                channel: 1,
                .basicPublish(
                    exchange: ConnectorTopology.workerExchange, routingKey: key, isMandatory: false,
                    isImmediate: false)),
            .header(channel: 1, AMQPContentHeader(bodySize: UInt64(body.utf8.count))))
        let bytes = Array(body.utf8)
        for start in stride(from: 0, to: bytes.count, by: frame) {
            let piece = ByteBuffer(bytes: bytes[start..<min(start + frame, bytes.count)])
            try await send(.body(channel: 1, piece))
        }
    }
}
