import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing
import WeirNode
import WeirTestKit
import WeirWorld

@testable import WeirConsole

@Suite("A short request of a connector")
struct ShortRequestsTests {
    private static func head(_ more: HTTPHeaders = [:], _ uri: String = "/graphql") -> HTTPRequestHead {
        var headers: HTTPHeaders = ["Host": "127.0.0.1:9471", "Content-Length": "2", "Connection": "keep-alive"]
        for (name, value) in more { headers.replaceOrAdd(name: name, value: value) }
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: uri, headers: headers)
    }

    private static func door(_ answer: @escaping FakeConnectors.Door) -> ShortDoor {
        let node = FakeNode(connectors: FakeConnectors([], door: answer))
        return ShortDoor(OpenCTIEndpoint(connectors: FakeConnectors([], door: answer)), time: node.world.time)
    }

    private static func activity(_ loop: any EventLoop) -> RequestActivity {
        RequestActivity(RestingLoop(loop, time: ManualTime()) { _ in })
    }

    @Test("is answered with what the router would send, on one connection with what the router answers")
    func sameAnswer() async throws {
        let connectors = FakeConnectors([], door: { "\($0.utf8.count)" })
        let node = FakeNode(connectors: connectors)
        let server = try ConsoleServer(node: node, listen: "127.0.0.1:0", world: node.world)
        let long = String(repeating: "x", count: ShortDoor.bodyMost + 1)
        try await server.application.test(.live) { client in
            var answers: [HTTPFields] = []
            for body in ["{}", long, "{}"] {
                let answer = try await client.execute(
                    uri: "/graphql", method: .post, body: ByteBuffer(string: body))
                #expect(answer.status == .ok && String(buffer: answer.body) == "\(body.utf8.count)")
                #expect(answer.headers[.date] != nil)
                var fields = answer.headers
                fields[.date] = nil
                fields[.contentLength] = nil
                answers.append(fields)
                let page = try await client.execute(uri: "/livez", method: .get)
                #expect(page.status == .ok)
            }
            let texts = answers.map { $0.map { "\($0.name.canonicalName): \($0.value)" }.sorted() }
            #expect(texts[0] == texts[1] && texts[0] == texts[2])
            #expect(texts[0].contains("cache-control: no-store"))
        }
    }

    @Test(
        "is one that is plain: what a browser sends, or what is not whole, is the router's",
        arguments: [
            ["Origin": "http://127.0.0.1:9471"], ["Sec-Fetch-Site": "same-origin"], ["Host": "example.org"],
            ["Host": "127.0.0.1.example.org"], ["Content-Length": "16385"], ["Transfer-Encoding": "chunked"],
            ["Connection": "close"], ["Expect": "100-continue"],
        ])
    func plain(more: [String: String]) {
        let door = Self.door { $0 }
        #expect(door.length(of: Self.head()) == 2)
        #expect(door.length(of: Self.head(["HOST": "[::1]:9471"])) == 2)
        #expect(door.length(of: Self.head(HTTPHeaders(more.map { ($0.key, $0.value) }))) == nil)
        #expect(door.length(of: Self.head([:], "/graphqls")) == nil)
    }

    @Test("that waits keeps back the next one, and both are answered in their order")
    func waits() async throws {
        let (gate, opened) = AsyncStream<Void>.makeStream()
        let begun = Mutex<[String]>([])
        let door = Self.door { body in
            begun.withLock { $0.append(body) }
            if body == "1." { for await _ in gate { break } }
            return body
        }
        let channel = NIOAsyncTestingChannel()
        let router = channel.eventLoop.makePromise(of: ShortRequests.Router?.self)
        try await channel.eventLoop.submit {
            let handler = ShortRequests(door, nil, Self.activity(channel.eventLoop), router: router) { _ in
                throw ChannelError.ioOnClosedChannel
            }
            try channel.pipeline.syncOperations.addHandler(handler)
        }.get()
        for body in ["1.", "2."] {
            try await channel.writeInbound(HTTPServerRequestPart.head(Self.head()))
            try await channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: body)))
            try await channel.writeInbound(HTTPServerRequestPart.end(nil))
        }
        #expect(begun.withLock { $0 } == ["1."])
        opened.yield()
        var bodies: [String] = []
        while bodies.count < 2 {
            let part = try await channel.waitForOutboundWrite(as: HTTPServerResponsePart.self)
            if case .body(.byteBuffer(let bytes)) = part { bodies.append(String(buffer: bytes)) }
        }
        #expect(bodies == ["1.", "2."])
        _ = try await channel.finish(acceptAlreadyClosed: true)
        #expect(try await router.futureResult.get() == nil)
    }

    @Test("that is answered when Weir stops is answered first; an idle connection is closed at once")
    func stops() async throws {
        let (gate, opened) = AsyncStream<Void>.makeStream()
        let door = Self.door { body in
            for await _ in gate { break }
            return body
        }
        for isAsking in [false, true] {
            let channel = NIOAsyncTestingChannel()
            let router = channel.eventLoop.makePromise(of: ShortRequests.Router?.self)
            try await channel.eventLoop.submit {
                let handler = ShortRequests(door, nil, Self.activity(channel.eventLoop), router: router) { _ in
                    throw ChannelError.ioOnClosedChannel
                }
                try channel.pipeline.syncOperations.addHandler(handler)
            }.get()
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
            if isAsking {
                try await channel.writeInbound(HTTPServerRequestPart.head(Self.head()))
                try await channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: "1.")))
                try await channel.writeInbound(HTTPServerRequestPart.end(nil))
            }
            try await channel.eventLoop.submit {
                channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
            }.get()
            #expect(channel.isActive == isAsking)
            if isAsking { opened.yield() }
            try await channel.closeFuture.get()
            if isAsking { #expect(try await channel.readOutbound(as: HTTPServerResponsePart.self) != nil) }
        }
    }
}

@Suite("A deadline that moves")
struct LazyDeadlineTests {
    private func second(_ number: Double) -> NIODeadline { .uptimeNanoseconds(UInt64(number * 1e9)) }

    @Test("has one timer, for full seconds, which is set anew only when it would be late")
    func moves() {
        var deadline = LazyDeadline()
        #expect(deadline.move(to: second(10.2)) == second(11))
        #expect(deadline.move(to: second(30)) == nil)
        #expect(deadline.look(at: second(11)) == .again(second(30)))
        #expect(deadline.move(to: second(20)) == second(20))
        #expect(deadline.look(at: second(20)) == .passed)
        #expect(deadline.move(to: second(40)) == second(40))
        deadline.clear()
        #expect(deadline.look(at: second(40)) == .none)
    }
}
