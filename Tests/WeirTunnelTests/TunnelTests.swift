import Glibc
import NIOCore
import NIOPosix
import Testing
import WeirWorld

@testable import WeirTunnel

/// A plain socket with blocking calls, on a thread of its own.
struct PlainSocket: Sendable {
    let descriptor: CInt

    static func connect(_ port: Int) -> PlainSocket {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        if let address = try? SocketAddress(ipAddress: "127.0.0.1", port: port) {
            _ = address.withSockAddr { Glibc.connect(descriptor, $0, socklen_t($1)) }
        }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return PlainSocket(descriptor: descriptor)
    }

    func send(_ bytes: [UInt8]) -> Int { Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }
    func finish() { _ = shutdown(descriptor, CInt(SHUT_WR)) }
    func close() { _ = Glibc.close(descriptor) }

    /// Everything until the end, and how it ended: 0 for FIN, else the error number.
    func readAll() -> (bytes: [UInt8], end: CInt) {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return (all, 0) }
            if count < 0 { return (all, errno) }
            all += buffer[..<count]
        }
    }
}

/// A target that answers when its client has finished.
func target(
    answer: @escaping @Sendable (Int) -> [UInt8], abort: Bool = false
) async throws -> any Channel {
    final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        var count = 0
        let answer: @Sendable (Int) -> [UInt8]
        let abort: Bool
        init(_ answer: @escaping @Sendable (Int) -> [UInt8], _ abort: Bool) {
            self.answer = answer
            self.abort = abort
        }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            count += unwrapInboundIn(data).readableBytes
            guard abort else { return }
            _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            context.close(promise: nil)
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case ChannelEvent.inputClosed = event else { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer(count))))
                .assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        }
    }
    return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Handler(answer, abort))
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
}

@Suite("Through hub and agent", .serialized)
struct TunnelTests {
    @Test("megabytes go there, half-close, and come back")
    func halfClose() async throws {
        let server = try await target { count in Array(repeating: 7, count: 3_000_000) + Array("\(count)".utf8) }
        let stage = try TunnelStage(targets: [:], listeners: ["echo"])
        try await stage.run(targets: ["echo": server.localAddress?.port ?? 0]) { _ in
            let lane = stage.world.blocking.lane("client")
            let read = try await lane.run {
                let client = PlainSocket.connect(stage.hub.ports[0])
                defer { client.close() }
                let sent = client.send(Array(repeating: 1, count: 5_000_000))
                #expect(sent == 5_000_000)
                client.finish()
                return client.readAll()
            }
            lane.close()
            #expect(read.end == 0 && read.bytes.count == 3_000_007)
            #expect(String(decoding: read.bytes.suffix(7), as: UTF8.self) == "5000000")
        }
        #expect(stage.observer.now.connections == ["opened": 1])
        try await server.close()
    }

    @Test("a target's RST is the client's RST, and a refusal is RST before any byte")
    func resets() async throws {
        let server = try await target(answer: { _ in [] }, abort: true)
        let stage = try TunnelStage(targets: [:], listeners: ["abort", "refused", "nobody"])
        let closed = try await target(answer: { _ in [] })
        let closedPort = closed.localAddress?.port ?? 0
        try await closed.close()
        try await stage.run(
            targets: ["abort": server.localAddress?.port ?? 0, "refused": closedPort]
        ) { _ in
            let lane = stage.world.blocking.lane("client")
            let ends = try await lane.run {
                stage.hub.ports.map { port in
                    let client = PlainSocket.connect(port)
                    defer { client.close() }
                    // A reset that has come already is told to the first who asks.
                    return client.send([1]) == 1 ? client.readAll().end : errno
                }
            }
            lane.close()
            #expect(ends == [ECONNRESET, ECONNRESET, ECONNRESET])
        }
        #expect(stage.observer.now.connections == ["opened": 1, "refused": 1, "no_agent": 1])
        try await server.close()
    }
}
