import NIOCore
import NIOPosix
import Synchronization

/// An HTTP server of the simplest kind: one request a connection, the answer as text, from a function.
final class TextServer: Sendable {
    /// The head of a request: its first line and its headers, as they came.
    struct Request: Sendable {
        var text: String
        var target: String { text.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
        func has(_ header: String) -> Bool { text.lowercased().contains("\r\n\(header.lowercased())") }
        func parameter(_ name: String) -> String? {
            let query = target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
            return query.split(separator: "&").first { $0.hasPrefix("\(name)=") }.map {
                String($0.dropFirst(name.count + 1))
            }
        }
    }

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let port: Int
    private let server: NIOAsyncChannel<Connection, Never>
    private let requestsTaken = Mutex<[Request]>([])

    var requests: [Request] { requestsTaken.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)" }

    init() async throws {
        server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        port = server.channel.localAddress?.port ?? 0
    }

    /// A server with its answers.
    struct Answering {
        let server: TextServer
        let answer: @Sendable (Request) -> String

        /// Answers while `body` runs; once for each server.
        func run(_ body: () async throws -> Void) async throws { try await server.serve(answer, body) }
    }

    func answering(_ answer: @escaping @Sendable (Request) -> String) -> Answering {
        Answering(server: self, answer: answer)
    }

    private func serve(
        _ answer: @escaping @Sendable (Request) -> String, _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await self.server.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { group in
                        for try await connection in connections {
                            group.addTask { try? await self.talk(connection, answer) }
                        }
                    }
                }
            }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private func talk(_ connection: Connection, _ answer: @Sendable (Request) -> String) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var text = ""
            for try await piece in inbound {
                text += String(buffer: piece)
                if text.contains("\r\n\r\n") { break }
            }
            let request = Request(text: text)
            requestsTaken.withLock { $0.append(request) }
            try await outbound.write(ByteBuffer(string: answer(request)))
            try await connection.channel.writeAndFlush(ByteBuffer()).get()
        }
    }

    static func ok(_ body: String, _ headers: String...) -> String {
        let lines = headers.map { $0 + "\r\n" }.joined()
        return "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\(lines)\r\n\(body)"
    }

    static func status(_ code: Int, _ headers: String..., body: String = "") -> String {
        let lines = headers.map { $0 + "\r\n" }.joined()
        return "HTTP/1.1 \(code) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\(lines)\r\n\(body)"
    }
}
