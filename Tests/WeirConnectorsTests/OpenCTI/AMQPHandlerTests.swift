import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import WeirTestKit
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("A connection to the AMQP ingress", .timeLimit(.minutes(5)))
struct AMQPHandlerTests {
    private func stage() async throws -> AMQPStage {
        let platform = RecordingPlatform(time: ManualTime())
        _ = try await platform.register(ConnectorRegistration(id: "a", name: "A"))
        return try await AMQPStage(platform)
    }

    private let ack = AMQPFrame.method(channel: 1, .basicAck(tag: 1, isMultiple: false))

    @Test("takes a small message whole and confirms it")
    func small() async throws {
        let stage = try await stage()
        #expect(try await stage.open() == .method(channel: 1, .confirmSelectOK))
        try await stage.publish("{\"content\":\"x\"}", frame: 4)
        #expect(try await stage.next() == ack)
        let pushed = try #require(stage.platform.pushed.first)
        #expect(pushed.text == "{\"content\":\"x\"}" && !pushed.wasStreamed && pushed.deadline == nil)
        #expect(pushed.head == BundleHead(connector: "a", encoding: .message, byteCount: 15))
        #expect(stage.sessions.counts.taken == 1 && stage.sessions.counts.heldBytes == 0)
    }

    @Test("hands a long message on as it comes")
    func long() async throws {
        let stage = try await stage()
        _ = try await stage.open()
        let body = String(repeating: "0123456789", count: 100_000)
        try await stage.publish(body)
        #expect(try await stage.next() == ack)
        let pushed = try #require(stage.platform.pushed.first)
        #expect(pushed.wasStreamed && pushed.text == body)
        #expect(stage.sessions.counts.heldBytes == 0)
    }

    @Test("a message cut anywhere arrives all the same")
    func cut() async throws {
        let stage = try await stage()
        _ = try await stage.open()
        var bytes = ByteBuffer()
        AMQPFrame.method(
            channel: 1,
            .basicPublish(
                exchange: ConnectorTopology.workerExchange, routingKey: "push_routing_a", isMandatory: false,
                isImmediate: false)
        ).write(to: &bytes)
        AMQPFrame.header(channel: 1, AMQPContentHeader(bodySize: 5)).write(to: &bytes)
        AMQPFrame.body(channel: 1, ByteBuffer(string: "hello")).write(to: &bytes)
        while let byte = bytes.readSlice(length: 1) { try await stage.channel.writeInbound(byte) }
        #expect(try await stage.next() == ack)
        #expect(stage.platform.pushed.map(\.text) == ["hello"])
    }

    @Test("holds the confirm while the platform holds, says so, and keeps the heart beating")
    func held() async throws {
        let stage = try await stage()
        _ = try await stage.open()
        stage.platform.hold()
        try await stage.publish("{}")
        while stage.platform.heldCount == 0 { await Task.yield() }
        for _ in 0..<40 { await stage.channel.testingEventLoop.advanceTime(by: .seconds(1)) }
        guard case .method(0, .connectionBlocked) = try await stage.next() else {
            Issue.record("not told that it waits")
            return
        }
        #expect(try await stage.next() == .heartbeat)
        stage.platform.release()
        #expect(try await stage.next() == .method(channel: 0, .connectionUnblocked))
        #expect(try await stage.next() == ack)
    }

    @Test("gives up a long message whose client has gone")
    func gone() async throws {
        let stage = try await stage()
        _ = try await stage.open()
        try await stage.send(
            .method(
                channel: 1,
                .basicPublish(
                    exchange: ConnectorTopology.workerExchange, routingKey: "push_routing_a", isMandatory: false,
                    isImmediate: false)),
            .header(channel: 1, AMQPContentHeader(bodySize: 1_000_000)),
            .body(channel: 1, ByteBuffer(repeating: 1, count: 100_000)))
        // What has not begun is not given up.
        #expect(await eventually { stage.platform.state.withLock { !$0.writes.isEmpty } })
        try await stage.channel.close().get()
        await stage.sessions.untilEmpty()
        #expect(stage.platform.state.withLock { $0.abandoned } == 1)
        #expect(stage.platform.pushed.isEmpty && stage.sessions.counts.heldBytes == 0)
    }

    @Test("refuses a wrong password, a revoked key and what is not AMQP")
    func refusals() async throws {
        let wrong = try await stage()
        _ = try? await wrong.open(password: "other")
        #expect(wrong.sessions.counts.loginsRefused == 1)
        let revoked = try await stage()
        try await revoked.keys.revoke("a")
        _ = try await revoked.open()
        #expect(revoked.sessions.counts.loginsRefused == 1)
        let other = try await stage()
        try await other.channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        let header = try await other.channel.waitForOutboundWrite(as: ByteBuffer.self)
        #expect(header == ByteBuffer(bytes: AMQPFrame.protocolHeader))
        await other.sessions.untilEmpty()
    }

    @Test("tells a client that Weir stops, after the message at hand")
    func stop() async throws {
        let stage = try await stage()
        _ = try await stage.open()
        stage.sessions.stop("a", "bye")
        guard case .method(0, .connectionClose(let closing)) = try await stage.next() else {
            Issue.record("no goodbye")
            return
        }
        #expect(closing.code == 320)
        try await stage.send(.method(channel: 0, .connectionCloseOK))
        await stage.sessions.untilEmpty()
    }
}
