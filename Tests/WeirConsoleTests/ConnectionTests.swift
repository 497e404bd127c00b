import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import WeirConsole

@Suite("A connection to the API's address")
struct ConnectionTests {
    private struct Stage {
        let places: ConnectionPlaces
        let channel: EmbeddedChannel

        init(pages: Int = 3, door: Int = 10) throws {
            places = ConnectionPlaces(
                pagesMost: pages, doorMost: door, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            channel = EmbeddedChannel(handlers: [
                DoorConnection(places, path: "/graphql"),
                ConnectionTimes(
                    .init(
                        idle: .seconds(30), idleOfDoor: .seconds(30), request: .seconds(30), piece: .seconds(60),
                        pushPath: "/graphql")),
            ])
            places.connectionOpened()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func ask(_ path: String, _ rest: HTTPServerRequestPart...) throws {
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path)
            for part in [.head(head)] + rest { try channel.writeInbound(part) }
        }

        func answer() throws -> HTTPResponseHead? {
            try channel.writeOutbound(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok)))
            try channel.writeOutbound(HTTPServerResponsePart.end(nil))
            return try head()
        }

        func head() throws -> HTTPResponseHead? {
            while let part = try channel.readOutbound(as: HTTPServerResponsePart.self) {
                if case .head(let head) = part { return head }
            }
            return nil
        }

        func pass(_ seconds: Int64) -> Bool {
            channel.embeddedEventLoop.advanceTime(by: .seconds(seconds))
            return channel.isActive
        }
    }

    @Test("is the door's from its first request for it on, and a page's place is free again")
    func places() throws {
        let stage = try Stage(pages: 1)
        #expect(!stage.places.isAcceptingNewConnections())
        try stage.ask("/graphql?x", .end(nil))
        #expect(stage.places.isAcceptingNewConnections())
        try stage.ask("/", .end(nil))
        #expect(stage.places.isAcceptingNewConnections())
        _ = try stage.channel.finish(acceptAlreadyClosed: true)
        #expect(!stage.places.isAcceptingNewConnections())
        stage.places.connectionClosed()
        #expect(stage.places.isAcceptingNewConnections())
    }

    @Test("keeps its place while the door has room, and is asked to go when it is crowded")
    func crowded() throws {
        let stage = try Stage(door: 10)
        try stage.ask("/graphql", .end(nil))
        #expect(try stage.answer()?.headers["connection"] == [] && stage.channel.isActive)
        for _ in 0..<5 {
            stage.places.connectionOpened()
            #expect(stage.places.enterDoor())
        }
        try stage.ask("/graphql", .end(nil))
        #expect(try stage.answer()?.headers["connection"] == ["close"] && !stage.channel.isActive)
    }

    @Test("is not closed under a client that is still sending")
    func sending() throws {
        let stage = try Stage(door: 1)
        try stage.ask("/graphql")
        #expect(try stage.answer()?.headers["connection"] == ["close"] && stage.channel.isActive)
        try stage.channel.writeInbound(HTTPServerRequestPart.end(nil))
        #expect(!stage.channel.isActive)
    }

    @Test("is told when the door has no room, and a page's is not")
    func full() throws {
        let stage = try Stage(pages: 2, door: 1)
        stage.places.connectionOpened()
        #expect(stage.places.enterDoor())
        try stage.ask("/graphql", .body(ByteBuffer(string: "x")), .end(nil))
        #expect(try stage.head()?.status == .serviceUnavailable && !stage.channel.isActive)
        #expect(try stage.channel.readInbound(as: HTTPServerRequestPart.self) == nil)
    }

    @Test("that asks nothing is closed, and one whose request never ends", arguments: ["", "/", "/graphql"])
    func slow(path: String) throws {
        let stage = try Stage()
        if !path.isEmpty { try stage.ask(path) }
        // A server reads on; an embedded channel only when it is asked.
        stage.channel.read()
        let limit: Int64 = path == "/graphql" ? 60 : 30
        #expect(stage.pass(limit - 1) && !stage.pass(2))
    }

    @Test("whose push is held is not closed, however long: only while a piece is waited for does time count")
    func held() throws {
        let stage = try Stage()
        try stage.ask("/graphql", .body(ByteBuffer(string: "x")))
        stage.channel.pipeline.fireChannelReadComplete()
        // The door asks for no more until its gate opens. (An embedded channel reads on by itself only when asked.)
        #expect(stage.pass(3_600))
        stage.channel.read()
        #expect(stage.pass(59))
        try stage.channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: "y")))
        stage.channel.pipeline.fireChannelReadComplete()
        stage.channel.read()
        #expect(stage.pass(59) && !stage.pass(2))
    }

    @Test("that goes on sending what was answered is closed")
    func answered() throws {
        let stage = try Stage()
        try stage.ask("/graphql")
        _ = try stage.answer()
        stage.channel.read()
        #expect(stage.pass(29) && !stage.pass(2))
    }

    @Test("is idle from the end of a request that was answered before it ended")
    func early() throws {
        let stage = try Stage()
        try stage.ask("/graphql")
        _ = try stage.answer()
        #expect(stage.pass(20))
        try stage.channel.writeInbound(HTTPServerRequestPart.end(nil))
        #expect(stage.pass(29) && !stage.pass(2))
    }
}
