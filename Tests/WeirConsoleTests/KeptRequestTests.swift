import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing
import WeirNode
import WeirTestKit
import WeirWires
import WeirWorld

@testable import WeirConsole

@Suite("A request that is known by its bytes")
struct KeptRequestTests {
    private static let wall = WallTime(secondsSince1970: 1_800_000_000)
    private static let body = #"{"query":"ping"}"#

    private static func request(_ body: String = body) -> ByteBuffer {
        ByteBuffer(
            string: "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    private static func parts(_ again: (@Sendable () -> Bool)?) -> ShortDoor.Parts {
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok,
            headers: ["Content-Type": "application/json", "Content-Length": "4", "Date": HTTPDate.text(wall)])
        return ShortDoor.Parts(head: head, body: ByteBuffer(string: "pong"), again: again)
    }

    /// Which reads of a connection are answered from what is kept. Each table ends with the whole known request.
    @Test(
        "is one that came whole, alone, after one that was answered, and of which all is as it was then",
        arguments: [
            ([[request()]], true),
            ([[request().slice(0, 30), request().slice(30)]], true),
            ([[request("{}")], [request()]], true),
            ([[request(), request().slice(0, 10)]], false),
            ([[request("{}"), request()]], false),
            ([[ByteBuffer(string: "\r\n"), request()]], false),
            ([[request(String(repeating: "x", count: KeptRequest.bytesMost))], [request()]], false),
        ])
    func known(reads: [[ByteBuffer]], isKnown: Bool) {
        let kept = KeptRequest(dates: HTTPDateCache())
        for request in reads {
            for read in request { #expect(kept.answer(to: read, mayAnswer: true, at: Self.wall) == nil) }
            let body = request.reduce(0) { $0 + $1.readableBytes } - Self.headLength(request)
            kept.answered(Self.parts { true }, bodyLength: body)
        }
        for _ in 0..<2 {
            let answer = kept.answer(to: Self.request(), mayAnswer: true, at: Self.wall)
            #expect((answer != nil) == isKnown)
            if !isKnown { break }
        }
    }

    private static func headLength(_ reads: [ByteBuffer]) -> Int {
        var whole = ByteBuffer()
        for read in reads { whole.writeImmutableBuffer(read) }
        let text = String(buffer: whole)
        return text.utf8.count - (text.components(separatedBy: "\r\n\r\n").dropFirst().first?.utf8.count ?? 0)
    }

    @Test("is answered as the first time, but for the date")
    func answer() throws {
        let kept = KeptRequest(dates: HTTPDateCache())
        _ = kept.answer(to: Self.request(), mayAnswer: true, at: Self.wall)
        kept.answered(Self.parts { true }, bodyLength: Self.body.utf8.count)
        for seconds in [0, 1, 86_400] {
            let later = Self.wall + .seconds(seconds)
            let answer = try #require(kept.answer(to: Self.request(), mayAnswer: true, at: later))
            #expect(
                String(buffer: answer)
                    == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
                    + "Date: \(HTTPDate.text(later))\r\n\r\npong")
        }
    }

    @Test("is read again when something has changed, when the door is crowded, and after anything else was asked")
    func readAgain() {
        let isSame = Mutex(true)
        func fresh(_ again: (@Sendable () -> Bool)?) -> KeptRequest {
            let kept = KeptRequest(dates: HTTPDateCache())
            _ = kept.answer(to: Self.request(), mayAnswer: true, at: Self.wall)
            kept.answered(Self.parts(again), bodyLength: Self.body.utf8.count)
            return kept
        }
        func isKnown(_ kept: KeptRequest, mayAnswer: Bool = true) -> Bool {
            kept.answer(to: Self.request(), mayAnswer: mayAnswer, at: Self.wall) != nil
        }
        let moving = fresh { isSame.withLock { $0 } }
        #expect(isKnown(moving))
        isSame.withLock { $0 = false }
        #expect(!isKnown(moving))
        // It is being read now: what comes meanwhile belongs to it.
        isSame.withLock { $0 = true }
        #expect(!isKnown(moving))
        #expect(!isKnown(fresh(nil)))
        #expect(!isKnown(fresh { true }, mayAnswer: false))
        let lost = fresh { true }
        lost.lose()
        #expect(!isKnown(lost))
    }

    @Test("is answered before HTTP is read, and keeps its connection alive")
    func pipeline() throws {
        let loop = EmbeddedEventLoop()
        let kept = KeptRequest(dates: HTTPDateCache())
        let activity = RequestActivity(RestingLoop(loop, time: ManualTime()) { _ in })
        let times = ConnectionTimes(
            ConnectionTimes.Limits(
                idle: .seconds(30), idleOfDoor: .seconds(60), request: .seconds(30), piece: .seconds(60),
                pushPath: "/graphql"))
        let channel = EmbeddedChannel(
            handlers: [RepeatedRequests(kept, activity, time: ManualTime(wall: Self.wall)) { false }], loop: loop)
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
        try channel.pipeline.syncOperations.addHandler(times)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(Self.request())
        #expect(try channel.readInbound(as: HTTPServerRequestPart.self) != nil)
        let parts = Self.parts { true }
        channel.write(HTTPServerResponsePart.head(parts.head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(parts.body)), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        kept.answered(parts, bodyLength: Self.body.utf8.count)
        var first = ByteBuffer()
        while case .byteBuffer(let bytes)? = try channel.readOutbound(as: IOData.self) {
            first.writeImmutableBuffer(bytes)
        }
        while try channel.readInbound(as: HTTPServerRequestPart.self) != nil {}
        for _ in 0..<5 {
            loop.advanceTime(by: .seconds(40))
            try channel.writeInbound(Self.request())
            #expect(try channel.readOutbound(as: ByteBuffer.self) == first)
            #expect(try channel.readInbound(as: HTTPServerRequestPart.self) == nil)
            #expect(channel.isActive)
        }
        loop.advanceTime(by: .seconds(62))
        #expect(!channel.isActive)
    }
}

extension ByteBuffer {
    fileprivate func slice(_ from: Int, _ length: Int? = nil) -> ByteBuffer {
        getSlice(at: readerIndex + from, length: length ?? readableBytes - from) ?? ByteBuffer()
    }
}
