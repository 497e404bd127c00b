import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// Keeps what is recorded.
final class KeepingAuditor: ConnectionAuditor {
    let records = Mutex<[ConnectionRecord]>([])
    func record(_ record: ConnectionRecord) { records.withLock { $0.append(record) } }
    var all: [ConnectionRecord] { records.withLock { $0 } }
}

@Suite("What a client meets at the hub", .serialized)
struct ClientTests {
    private func exchange(_ stage: TunnelStage, _ port: Int, _ parts: [[UInt8]]) async throws -> ([UInt8], CInt) {
        let lane = stage.world.blocking.lane("client")
        defer { lane.close() }
        return try await lane.run {
            let client = PlainSocket.connect(port)
            defer { client.close() }
            for part in parts {
                guard client.send(part) == part.count else { return ([], errno) }
                usleep(30_000)
            }
            client.finish()
            let read = client.readAll()
            return (read.bytes, read.end)
        }
    }

    @Test(
        "an address that is not allowed and a connection too many are refused; places are given back; all is recorded")
    func rules() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let auditor = KeepingAuditor()
        let stage = try TunnelStage(targets: [:], listeners: ["open", "closed"], auditor: auditor) { settings in
            settings.listeners[0].limits.connectionsMost = 1
            settings.listeners[1].limits.allow = [AddressRange("10.0.0.0/8")].compactMap(\.self)
        }
        let port = server.localAddress?.port ?? 0
        try await stage.run(targets: ["open": port, "closed": port]) { _ in
            #expect(try await exchange(stage, stage.hub.ports[1], [[1]]).1 == ECONNRESET)
            let first = PlainSocket.connect(stage.hub.ports[0])
            try await holds("it is open") { auditor.all.contains { $0.result == .opened } }
            #expect(try await exchange(stage, stage.hub.ports[0], [[1]]).1 == ECONNRESET)
            first.close()
            try await holds("its place is given back") { auditor.all.contains { $0.end != nil } }
            #expect(try await exchange(stage, stage.hub.ports[0], [[1, 2]]).0 == Array("2".utf8))
            try await holds("all have ended") { auditor.all.count == 6 }
        }
        let records = auditor.all
        #expect(records.map(\.result) == [.denied, .opened, .limit, .opened, .opened, .opened])
        #expect(records.map(\.reason).prefix(3) == ["address_not_allowed", nil, "listener_limit"])
        #expect(records.compactMap(\.end).map(\.reason).last == "fin")
        #expect(records.last?.end?.toTarget == 2 && records.last?.end?.toClient == 1)
        #expect(Set(records.filter { $0.result == .opened }.map(\.agent)) == ["site-01"])
        try await server.close()
    }

    @Test("a balancer's header says who the client is, also in pieces, and goes on to the target", arguments: [1, 2])
    func proxied(version: Int) async throws {
        let server = try await mirror()
        let auditor = KeepingAuditor()
        let stage = try TunnelStage(targets: [:], listeners: ["echo"], auditor: auditor) { settings in
            settings.listeners[0].balancers = [AddressRange("127.0.0.0/8")].compactMap(\.self)
            settings.listeners[0].limits.allow = [AddressRange("192.0.2.0/24")].compactMap(\.self)
        }
        let line = Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 389\r\n".utf8)
        let binary = ProxyHeader.binary(client: ([192, 0, 2, 1], 56_324), server: ([198, 51, 100, 2], 389))
        let header = version == 1 ? line : binary
        try await stage.run(targets: ["echo": server.localAddress?.port ?? 0], tellsClient: true) { _ in
            let read = try await exchange(
                stage, stage.hub.ports[0], [Array(header.prefix(5)), header.dropFirst(5) + Array("hello".utf8)])
            #expect(read.0 == binary + Array("hello".utf8))
            // Who brings no header is nobody.
            #expect(try await exchange(stage, stage.hub.ports[0], [Array("hello".utf8)]).1 == ECONNRESET)
        }
        #expect(auditor.all.first?.client?.description == "192.0.2.1:56324")
        try await server.close()
    }

    /// A target that sends back what it gets.
    private func mirror() async throws -> any Channel {
        final class Handler: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            typealias OutboundOut = ByteBuffer
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                context.writeAndFlush(data, promise: nil)
            }
            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
                guard case ChannelEvent.inputClosed = event else { return }
                context.close(promise: nil)
            }
        }
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler()) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }
}
