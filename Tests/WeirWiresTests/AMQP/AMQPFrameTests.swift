import NIOCore
import Testing

@testable import WeirWires

@Suite("AMQP frames")
struct AMQPFrameTests {
    private static let table = AMQPTable([
        .init("a", .flag(true)), .init("b", .int(-5)), .init("c", .real(1.5)), .init("d", .text("é")),
        .init("e", .decimal(scale: 2, digits: 314)), .init("f", .time(1_795_216_041)), .init("g", .none),
        .init("h", .list([.int(1), .text("x"), .table(AMQPTable([.init("y", .bytes(ByteBuffer(bytes: [0, 1])))]))])),
    ])

    private static var declaration: AMQPDeclaration {
        var declaration = AMQPDeclaration(name: "push_a")
        declaration.isDurable = true
        declaration.noWait = true
        declaration.arguments = table
        return declaration
    }

    private static var exchange: AMQPDeclaration {
        var declaration = AMQPDeclaration(name: "amqp.worker.exchange")
        declaration.type = "direct"
        declaration.isPassive = true
        declaration.isInternal = true
        return declaration
    }

    private static var properties: AMQPProperties {
        var properties = AMQPProperties()
        properties.contentEncoding = "utf-8"
        properties.headers = table
        properties.deliveryMode = 2
        properties.timestamp = 5
        properties.clusterID = "z"
        return properties
    }

    static let frames: [AMQPFrame] = {
        let tuning = AMQPTuning(channelMost: 2_047, frameMost: 131_072, heartbeat: 10)
        let closing = AMQPClosing(.notFound, "no queue", cause: AMQPMethodID(50, 10))
        let methods: [AMQPMethod] = [
            .connectionStart(properties: table, mechanisms: "PLAIN AMQPLAIN", locales: "en_US"),
            .connectionStartOK(
                properties: table, mechanism: "PLAIN", response: ByteBuffer(string: "\0u\0p"), locale: "en_US"),
            .connectionTune(tuning), .connectionTuneOK(tuning), .connectionOpen(vhost: "/"), .connectionOpenOK,
            .connectionClose(closing), .connectionCloseOK, .connectionBlocked(reason: "full"), .connectionUnblocked,
            .channelOpen, .channelOpenOK, .channelFlow(isActive: true), .channelFlowOK(isActive: false),
            .channelClose(closing), .channelCloseOK, .exchangeDeclare(exchange), .exchangeDeclareOK,
            .queueDeclare(declaration), .queueDeclareOK(name: "push_a", messages: 3, consumers: 1),
            .queueBind(queue: "push_a", exchange: "e", routingKey: "k"), .queueBindOK,
            .queueDelete(queue: "push_a"), .queueDeleteOK(messages: 2),
            .basicQos(size: 0, count: 1, isGlobal: true), .basicQosOK,
            .basicConsume(queue: "push_a", tag: "weir"), .basicConsumeOK(tag: "weir"),
            .basicCancel(tag: "weir", noWait: true), .basicCancelOK(tag: "weir"),
            .basicDeliver(consumer: "weir", tag: 9, isRedelivered: true, exchange: "e", routingKey: "k"),
            .basicPublish(exchange: "e", routingKey: "k", isMandatory: true, isImmediate: false),
            .basicReturn(code: 312, text: "NO_ROUTE", exchange: "e", routingKey: "k"),
            .basicAck(tag: .max, isMultiple: true), .basicNack(tag: 7, isMultiple: false, requeues: true),
            .confirmSelect(noWait: true), .confirmSelectOK, .other(AMQPMethodID(60, 70)),
        ]
        return methods.map { .method(channel: 3, $0) } + [
            .header(channel: 1, AMQPContentHeader(bodySize: 5_000_000_000, properties: properties)),
            .header(channel: 1, AMQPContentHeader(bodySize: 0)), .body(channel: 65_535, ByteBuffer(string: "body")),
            .body(channel: 1, ByteBuffer()), .heartbeat,
        ]
    }()

    private func bytes(_ frame: AMQPFrame) -> ByteBuffer {
        var buffer = ByteBuffer()
        frame.write(to: &buffer)
        return buffer
    }

    @Test("come out as they went in, however they are cut", arguments: [1, 7, 100_000])
    func roundTrip(size: Int) throws {
        var all = ByteBuffer()
        for frame in Self.frames { frame.write(to: &all) }
        var received = ByteBuffer()
        var frames: [AMQPFrame] = []
        while let piece = all.readSlice(length: min(size, all.readableBytes)), piece.readableBytes > 0 {
            received.writeImmutableBuffer(piece)
            while let frame = try AMQPFrame.read(from: &received, sizeMost: 131_072) { frames.append(frame) }
        }
        #expect(frames == Self.frames && received.readableBytes == 0)
    }

    @Test("look on the wire as pika writes them")
    func captured() throws {
        // basic.publish of pika 1.3 with mandatory=0, its header with content_encoding and delivery_mode, one body.
        let wire: [UInt8] =
            [1, 0, 1, 0, 0, 0, 12, 0, 60, 0, 40, 0, 0, 2, 0x65, 0x78, 1, 0x6B, 0, 0xCE]
            + [2, 0, 1, 0, 0, 0, 21, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x50, 0, 5] + Array("utf-8".utf8) + [2, 0xCE]
            + [3, 0, 1, 0, 0, 0, 2, 0x7B, 0x7D, 0xCE] + [8, 0, 0, 0, 0, 0, 0, 0xCE]
        var buffer = ByteBuffer(bytes: wire)
        var frames: [AMQPFrame] = []
        while let frame = try AMQPFrame.read(from: &buffer, sizeMost: 4_096) { frames.append(frame) }
        var properties = AMQPProperties()
        properties.contentEncoding = "utf-8"
        properties.deliveryMode = 2
        #expect(
            frames == [
                .method(
                    channel: 1,
                    .basicPublish(exchange: "ex", routingKey: "k", isMandatory: false, isImmediate: false)),
                .header(channel: 1, AMQPContentHeader(bodySize: 2, properties: properties)),
                .body(channel: 1, ByteBuffer(string: "{}")), .heartbeat,
            ])
        var written = ByteBuffer()
        for frame in frames { frame.write(to: &written) }
        #expect(written == ByteBuffer(bytes: wire))
    }

    @Test("read every type letter that clients use in tables")
    func letters() throws {
        var content = ByteBuffer()
        func add(_ letter: Character, _ bytes: [UInt8]) {
            content.writeAMQPShort(String(letter))
            content.writeBytes(Array(String(letter).utf8) + bytes)
        }
        add("b", [0xFF])
        add("B", [0xFF])
        add("s", [0xFF, 0xFE])
        add("u", [0xFF, 0xFE])
        add("I", [0xFF, 0xFF, 0xFF, 0xFD])
        add("i", [0xFF, 0xFF, 0xFF, 0xFD])
        add("f", [0x3F, 0xC0, 0, 0])
        var buffer = ByteBuffer(integer: UInt32(content.readableBytes))
        buffer.writeImmutableBuffer(content)
        let table = try AMQPTable.read(from: &buffer)
        let wanted: [AMQPValue] = [
            .int(-1), .int(255), .int(-2), .int(65_534), .int(-3), .int(4_294_967_293), .real(1.5),
        ]
        #expect(table.entries.map(\.value) == wanted)
    }

    @Test(
        "that are wrong are refused with the right code",
        arguments: [
            ([9, 0, 0, 0, 0, 0, 0, 0xCE], .frameError, "frame type"),
            ([8, 0, 1, 0, 0, 0, 0, 0xCE], .frameError, "heartbeat"),
            ([8, 0, 0, 0, 0, 0, 0, 0xCD], .frameError, "0xCE"),
            ([3, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF], .frameError, "at most"),
            ([1, 0, 1, 0, 0, 0, 3, 0, 60, 0, 0xCE], .syntaxError, "ends within"),
            ([1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 51, 9, 0xCE], .syntaxError, "behind the end"),
            ([1, 0, 1, 0, 0, 0, 9, 0, 60, 0, 40, 0, 0, 9, 1, 1, 0xCE], .syntaxError, "ends within"),
            ([1, 0, 1, 0, 0, 0, 9, 0, 60, 0, 40, 0, 0, 1, 0xFF, 0, 0xCE], .syntaxError, "UTF-8"),
            ([2, 0, 1, 0, 0, 0, 14, 0, 61] + [UInt8](repeating: 0, count: 12) + [0xCE], .unexpectedFrame, "class 61"),
            ([2, 0, 1, 0, 0, 0, 14, 0, 60] + [UInt8](repeating: 0, count: 10) + [0, 1, 0xCE], .syntaxError, "flags"),
        ] as [([UInt8], AMQPCode, String)])
    func refusals(bytes: [UInt8], code: AMQPCode, words: String) {
        var buffer = ByteBuffer(bytes: bytes)
        do throws(AMQPMistake) {
            _ = try AMQPFrame.read(from: &buffer, sizeMost: 4_096)
            Issue.record("it was taken")
        } catch {
            #expect(error.code == code && error.message.contains(words), "\(error)")
        }
    }

    @Test("have tables of bounded depth")
    func depth() {
        var value = AMQPValue.none
        for _ in 0..<200 { value = .table(AMQPTable([.init("t", value)])) }
        var buffer = bytes(
            .method(
                channel: 0,
                .connectionStartOK(
                    properties: AMQPTable([.init("t", value)]), mechanism: "PLAIN", response: ByteBuffer(),
                    locale: "en")))
        #expect(throws: AMQPMistake.self) { try AMQPFrame.read(from: &buffer, sizeMost: 131_072) }
    }

    @Test("never bring the reader down, whatever bytes come")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        for round in 0..<20_000 {
            var bytes = Array(bytes(Self.frames[round % Self.frames.count]).readableBytesView)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = Bool.random(using: &random) ? 0xFF : UInt8.random(in: 0...255, using: &random)
            }
            var buffer = ByteBuffer(bytes: bytes)
            // What is read can be written again and gives the same bytes' meaning.
            guard let frame = try? AMQPFrame.read(from: &buffer, sizeMost: 131_072) else { continue }
            var again = ByteBuffer()
            frame.write(to: &again)
            if case .method(_, .other) = frame { continue }
            let second = try? AMQPFrame.read(from: &again, sizeMost: 300_000)
            #expect(second.map { "\($0)" } == "\(frame)")
        }
    }
}
