import NIOCore
import NIOPosix
import Synchronization

/// An HTTP server of the simplest kind: one request a connection, the answer as it goes over the wire, from a function.
final class TextServer: Sendable {
    /// A request as it came.
    struct Request: Sendable {
        var text: String
        var body: String { text.split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().first.map(String.init) ?? "" }
        var isWhole: Bool {
            guard let head = text.firstRange(of: "\r\n\r\n") else { return false }
            let length = text[..<head.lowerBound].lowercased().split(separator: "\r\n")
                .first { $0.hasPrefix("content-length:") }.flatMap { Int($0.dropFirst(15).filter { $0 != " " }) }
            return text[head.upperBound...].utf8.count >= length ?? 0
        }
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
        let answer: @Sendable (Request) -> ByteBuffer

        /// Answers while `body` runs; once for each server.
        func run(_ body: () async throws -> Void) async throws { try await server.serve(answer, body) }
    }

    func answering(_ answer: @escaping @Sendable (Request) -> ByteBuffer) -> Answering {
        Answering(server: self, answer: answer)
    }

    private func serve(
        _ answer: @escaping @Sendable (Request) -> ByteBuffer, _ body: () async throws -> Void
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

    private func talk(_ connection: Connection, _ answer: @Sendable (Request) -> ByteBuffer) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var request = Request(text: "")
            for try await piece in inbound {
                request.text += String(buffer: piece)
                if request.isWhole { break }
            }
            let taken = request
            requestsTaken.withLock { $0.append(taken) }
            try await outbound.write(answer(taken))
            try await connection.channel.writeAndFlush(ByteBuffer()).get()
        }
    }

    static func ok(_ body: String, _ headers: String...) -> ByteBuffer {
        answer(200, headers, ByteBuffer(string: body))
    }

    static func ok(_ body: ByteBuffer, _ headers: String...) -> ByteBuffer { answer(200, headers, body) }

    static func status(_ code: Int, _ headers: String..., body: String = "") -> ByteBuffer {
        answer(code, headers, ByteBuffer(string: body))
    }

    private static func answer(_ code: Int, _ headers: [String], _ body: ByteBuffer) -> ByteBuffer {
        let lines = headers.map { $0 + "\r\n" }.joined()
        var answer = ByteBuffer(
            string: "HTTP/1.1 \(code) X\r\nContent-Length: \(body.readableBytes)\r\nConnection: close\r\n\(lines)\r\n")
        answer.writeImmutableBuffer(body)
        return answer
    }
}
