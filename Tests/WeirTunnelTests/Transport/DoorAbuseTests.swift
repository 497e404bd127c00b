import Glibc
import NIOCore
import NIOWebSocket
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// What a stranger can do to the door: each attempt costs that connection and nothing else.
@Suite("A stranger at the door", .serialized)
struct DoorAbuseTests {
    /// A door with an agent inside; `body` gets the port. In the end the agent still serves.
    private func withDoor(
        _ change: (inout HubDoor.Settings) -> Void = { _ in },
        _ body: @escaping @Sendable (DoorStage, CInt) async throws -> Void
    ) async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"], door: change)
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            try await stage.with(agent) {
                try await holds("it is there") { agent.isConnected }
                try await body(stage, CInt(stage.door.port ?? 0))
                #expect(try await stage.echo("five!").text == "5")
                try await holds("nobody is on the way") { stage.door.pending == 0 }
                #expect(stage.hub.roster.agents.keys.sorted() == ["site-01"])
            }
        }
        try await server.close()
    }

    /// A hub without TLS and without proofs, for what comes after TLS.
    private func withPlainDoor(
        _ change: @escaping (inout HubDoor.Settings) -> Void = { _ in },
        _ body: @escaping @Sendable (DoorStage, Int) async throws -> Void
    ) async throws {
        let stage = try await DoorStage(listeners: [], plain: true, door: change)
        try await stage.run {
            try await body(stage, stage.door.port ?? 0)
            try await holds("nobody is on the way") { stage.door.pending == 0 }
        }
    }

    /// What the other side says until it closes.
    private func exchange(_ stage: DoorStage, _ port: Int, _ parts: [[UInt8]]) async throws -> [UInt8] {
        let lane = stage.world.blocking.lane("stranger")
        defer { lane.close() }
        return try await lane.run {
            let socket = PlainSocket.connect(port)
            defer { socket.close() }
            for part in parts where socket.send(part) != part.count { break }
            return socket.readAll().bytes
        }
    }

    @Test("garbage in place of TLS closes that connection", arguments: 0..<3)
    func garbage(seed: UInt64) async throws {
        try await withDoor { stage, port in
            var chance = SplitMix(seed: seed)
            for _ in 0..<10 {
                let bytes = (0..<Int.random(in: 1...3_000, using: &chance)).map { _ in
                    UInt8.random(in: 0...255, using: &chance)
                }
                let lane = stage.world.blocking.lane("stranger")
                try await lane.run {
                    let socket = PlainSocket.connect(Int(port))
                    _ = socket.send(bytes)
                    socket.finish()
                    _ = socket.readAll()
                    socket.close()
                }
                lane.close()
            }
        }
    }

    @Test("who is slow at the door has his time and no more: in TLS, and letter by letter in the upgrade")
    func slow() async throws {
        let hurry = { @Sendable (settings: inout HubDoor.Settings) in settings.handshakeMost = .seconds(1) }
        try await withDoor(hurry) { stage, port in
            // A ClientHello that never goes on.
            _ = try await exchange(stage, Int(port), [[0x16, 3, 1, 2, 0, 1]])
            try await holds("it is counted") { stage.observer.now.door[.slow] != nil }
        }
        try await withPlainDoor(hurry) { stage, port in
            let lane = stage.world.blocking.lane("stranger")
            let sent = try await lane.run {
                let socket = PlainSocket.connect(port)
                defer { socket.close() }
                var sent = 0
                // A header that never ends; two minutes of it at the most.
                for letter in Array("GET /tunnel HTTP/1.1\r\nX: ".utf8) + Array(repeating: 0x61, count: 12_000) {
                    guard socket.send([letter]) == 1 else { break }
                    sent += 1
                    usleep(10_000)
                }
                return sent
            }
            lane.close()
            #expect(sent < 12_000, "it was closed")
            try await holds("it is counted") { stage.observer.now.door[.slow] != nil }
        }
    }

    @Test("more than may be on their way are closed at once; places are given back")
    func tooMany() async throws {
        let few = { @Sendable (settings: inout HubDoor.Settings) in
            settings.pendingMost = 2
            settings.handshakeMost = .seconds(60)
        }
        try await withPlainDoor(few) { stage, port in
            let first = [PlainSocket.connect(port), PlainSocket.connect(port)]
            try await holds("they are on their way") { stage.door.pending == 2 }
            #expect(try await exchange(stage, port, [Array("GET ".utf8)]) == [])
            #expect(stage.observer.now.door == [.full: 1])
            for socket in first { socket.close() }
            try await holds("they have gone") { stage.door.pending == 0 }
            let answer = try await exchange(stage, port, [Array("GET /other HTTP/1.1\r\nHost: h\r\n\r\n".utf8)])
            #expect(String(decoding: answer.prefix(12), as: UTF8.self) == "HTTP/1.1 426")
        }
    }

    private static let upgrade = Array(
        """
        GET /tunnel HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: weir.tunnel.v1\r\n\r\n
        """.utf8)

    @Test(
        "a WebSocket frame that must not be ends that link",
        arguments: [
            ("not masked", [0x82, 0x01, 0x00], 1002), ("text", [0x81, 0x81, 0, 0, 0, 0, 0x41], 1003),
            ("no known opcode", [0x83, 0x80, 0, 0, 0, 0], 1003),
            (
                "longer than a frame may be",
                [0x82, 0xFF, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0], 1009
            ),
            ("a long control frame", [0x89, 0xFE, 0x10, 0x00, 0, 0, 0, 0], 1002),
            ("no yamux in it", [0x82, 0x8C, 0, 0, 0, 0] + Array(repeating: 0xFF, count: 12), nil),
        ] as [(String, [UInt8], UInt16?)])
    func frames(what: String, frame: [UInt8], code: UInt16?) async throws {
        try await withPlainDoor { stage, port in
            let answer = try await exchange(stage, port, [Self.upgrade, frame])
            let text = String(decoding: answer, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 101"), "\(what): \(text)")
            let closing = answer.suffix(4)
            if let code { #expect(Array(closing) == [0x88, 2, UInt8(code >> 8), UInt8(code & 0xFF)], "\(what)") }
        }
    }
}
