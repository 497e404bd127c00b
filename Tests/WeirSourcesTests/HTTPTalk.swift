import NIOCore
import NIOPosix
import Synchronization
import WeirTestKit
import WeirWorld

/// A connection that sends bytes as they are and gathers what comes back.
final class HTTPTalk: Sendable {
    private let channel: any Channel
    private let heard: Heard

    init(port: Int) async throws {
        let heard = Heard()
        self.heard = heard
        channel = try await ClientBootstrap(group: loops)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Ear(heard)) }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    var text: String { heard.text.withLock { $0 } }
    var isClosed: Bool { heard.isClosed.withLock { $0 } }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }
    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes).get() }
    func close() async { try? await channel.close().get() }

    /// Waits until the server has closed, and gives all that it said.
    func rest() async -> String {
        _ = await eventually { isClosed }
        return text
    }

    private final class Heard: Sendable {
        let text = Mutex("")
        let isClosed = Mutex(false)
    }

    private final class Ear: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let heard: Heard
        init(_ heard: Heard) { self.heard = heard }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = String(buffer: unwrapInboundIn(data))
            heard.text.withLock { $0 += text }
        }
        func channelInactive(context: ChannelHandlerContext) { heard.isClosed.withLock { $0 = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

struct HTTPReply {
    var status: Int
    var head: String
    var body: String

    init(_ text: String) {
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        head = String(parts.first ?? "")
        body = parts.count > 1 ? String(parts[1]) : ""
        status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}

/// One request on a connection of its own.
func request(
    _ port: Int, _ method: String = "POST", _ path: String = "/", headers: [String] = [],
    body: ByteBuffer = ByteBuffer()
) async throws -> HTTPReply {
    let talk = try await HTTPTalk(port: port)
    var lines = [
        "\(method) \(path) HTTP/1.1", "Host: weir", "Connection: close", "Content-Length: \(body.readableBytes)",
    ]
    lines += headers
    var bytes = ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n")
    bytes.writeImmutableBuffer(body)
    try? await talk.send(bytes)
    let reply = HTTPReply(await talk.rest())
    await talk.close()
    return reply
}

func request(
    _ port: Int, _ method: String = "POST", _ path: String = "/", headers: [String] = [], text: String
) async throws -> HTTPReply {
    try await request(port, method, path, headers: headers, body: ByteBuffer(string: text))
}
