import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("An AMQP session")
struct AMQPSessionTests {
    private typealias Action = AMQPSession.Action
    private static let exchange = ConnectorTopology.workerExchange

    private func at(_ seconds: Double) -> Moment { Moment(nanoseconds: Int64(seconds * 1e9)) }

    private func startOK(
        mechanism: String = "PLAIN", response: String = "\0a\0secret", closesOnFailure: Bool = true
    ) -> AMQPFrame {
        let capabilities = AMQPTable([
            .init("authentication_failure_close", .flag(closesOnFailure)), .init("connection.blocked", .flag(true)),
        ])
        return .method(
            channel: 0,
            .connectionStartOK(
                properties: AMQPTable([.init("capabilities", .table(capabilities))]), mechanism: mechanism,
                response: ByteBuffer(string: response), locale: "en_US"))
    }

    private func tuneOK(heartbeat: UInt16 = 10, frame: UInt32 = 131_072, channels: UInt16 = 2_047) -> AMQPFrame {
        .method(
            channel: 0, .connectionTuneOK(AMQPTuning(channelMost: channels, frameMost: frame, heartbeat: heartbeat)))
    }

    private func opened(confirms: Bool = true, settings: AMQPSession.Settings = .init()) -> AMQPSession {
        var session = AMQPSession(settings, at: .zero)
        _ = session.receivedHeader(AMQPFrame.protocolHeader, at: .zero)
        _ = session.received(startOK(), at: .zero)
        _ = session.authenticated(.welcome, at: .zero)
        _ = session.received(tuneOK(), at: .zero)
        _ = session.received(.method(channel: 0, .connectionOpen(vhost: "/")), at: .zero)
        _ = session.received(.method(channel: 1, .channelOpen), at: .zero)
        if confirms { _ = session.received(.method(channel: 1, .confirmSelect(noWait: false)), at: .zero) }
        return session
    }

    private func publish(
        _ session: inout AMQPSession, exchange: String = exchange, key: String = "push_routing_a",
        mandatory: Bool = false, body: String = "{}"
    ) -> [Action] {
        let method = AMQPMethod.basicPublish(
            exchange: exchange, routingKey: key, isMandatory: mandatory, isImmediate: false)
        let header = AMQPContentHeader(bodySize: UInt64(body.utf8.count))
        return session.received(.method(channel: 1, method), at: .zero)
            + session.received(.header(channel: 1, header), at: .zero)
            + session.received(.body(channel: 1, ByteBuffer(string: body)), at: .zero)
    }

    private func methods(_ actions: [Action]) -> [AMQPMethod] {
        actions.compactMap { action in
            if case .send(.method(_, let method)) = action { return method }
            return nil
        }
    }

    private func code(_ actions: [Action]) -> UInt16? {
        for method in methods(actions) {
            switch method {
            case .connectionClose(let closing), .channelClose(let closing): return closing.code
            default: continue
            }
        }
        return nil
    }

    private func id(_ number: UInt64, confirmed: Bool = true) -> AMQPPublishID {
        AMQPPublishID(channel: 1, epoch: 1, number: number, isConfirmed: confirmed)
    }

    @Test("opens as pika opens it")
    func handshake() {
        var session = AMQPSession(.init(), at: .zero)
        guard
            case .send(.method(0, .connectionStart(let properties, "PLAIN", "en_US"))) =
                session.receivedHeader(AMQPFrame.protocolHeader, at: .zero).first
        else {
            Issue.record("no start")
            return
        }
        #expect(properties["capabilities"]?.table?["basic.nack"]?.flag == true)
        #expect(session.received(startOK(), at: .zero) == [.authenticate(user: "a", password: "secret")])
        #expect(!session.takesFrames)
        let tuning = AMQPTuning(channelMost: 64, frameMost: 131_072, heartbeat: 60)
        #expect(methods(session.authenticated(.welcome, at: .zero)) == [.connectionTune(tuning)])
        #expect(session.received(tuneOK(), at: .zero).isEmpty)
        #expect(session.heartbeat == .seconds(10) && session.channelMost == 64)
        #expect(
            methods(session.received(.method(channel: 0, .connectionOpen(vhost: "/")), at: .zero)) == [
                .connectionOpenOK
            ])
        #expect(methods(session.received(.method(channel: 1, .channelOpen), at: .zero)) == [.channelOpenOK])
        #expect(
            methods(session.received(.method(channel: 1, .confirmSelect(noWait: false)), at: .zero)) == [
                .confirmSelectOK
            ])
    }

    @Test("answers another protocol with its own header, and ends")
    func otherProtocol() {
        var session = AMQPSession(.init(), at: .zero)
        let actions = session.receivedHeader(Array("GET / HT".utf8), at: .zero)
        #expect(actions.first == .sendProtocolHeader && actions.count == 2 && session.phase == .closed)
    }

    @Test("refuses a login in words to clients that can hear them, and else just ends")
    func login() {
        for closes in [true, false] {
            var session = AMQPSession(.init(), at: .zero)
            _ = session.receivedHeader(AMQPFrame.protocolHeader, at: .zero)
            _ = session.received(startOK(closesOnFailure: closes), at: .zero)
            let actions = session.authenticated(.unknown, at: .zero)
            #expect(closes ? code(actions) == 403 : actions == [.close(reason: "login refused")])
        }
        for (mechanism, response) in [("AMQPLAIN", "x"), ("PLAIN", "no zero bytes"), ("PLAIN", "\0a\0b\0c")] {
            var session = AMQPSession(.init(), at: .zero)
            _ = session.receivedHeader(AMQPFrame.protocolHeader, at: .zero)
            #expect(code(session.received(startOK(mechanism: mechanism, response: response), at: .zero)) == 403)
        }
    }

    @Test("refuses limits that cannot be kept, and virtual hosts that are not there")
    func limits() {
        for frame in [tuneOK(frame: 100), tuneOK(frame: 1_000_000), .heartbeat] {
            var session = AMQPSession(.init(), at: .zero)
            _ = session.receivedHeader(AMQPFrame.protocolHeader, at: .zero)
            _ = session.received(startOK(), at: .zero)
            _ = session.authenticated(.welcome, at: .zero)
            #expect(code(session.received(frame, at: .zero)) != nil)
        }
        var session = AMQPSession(.init(), at: .zero)
        _ = session.receivedHeader(AMQPFrame.protocolHeader, at: .zero)
        _ = session.received(startOK(), at: .zero)
        _ = session.authenticated(.welcome, at: .zero)
        _ = session.received(tuneOK(), at: .zero)
        #expect(code(session.received(.method(channel: 0, .connectionOpen(vhost: "/other")), at: .zero)) == 530)
    }

    @Test("confirms a message when it is durable, and not before")
    func confirm() {
        var session = opened()
        let head = BundleHead(connector: "a", encoding: .message, byteCount: 2)
        #expect(
            publish(&session) == [.begin(id(1), head), .body(id(1), ByteBuffer(string: "{}")), .finish(id(1))])
        #expect(methods(session.settled(id(1), nil)) == [.basicAck(tag: 1, isMultiple: false)])
        #expect(session.settled(id(1), nil).isEmpty)
        _ = publish(&session)
        let failure = ConnectorFailure(.storage, "disk full")
        #expect(methods(session.settled(id(2), failure)) == [.basicNack(tag: 2, isMultiple: false, requeues: false)])
    }

    @Test("counts confirms from confirm.select on")
    func tags() {
        var session = opened(confirms: false)
        _ = publish(&session)
        _ = session.settled(id(1, confirmed: false), nil)
        _ = session.received(.method(channel: 1, .confirmSelect(noWait: true)), at: .zero)
        _ = publish(&session)
        #expect(methods(session.settled(id(2), nil)) == [.basicAck(tag: 1, isMultiple: false)])
    }

    @Test("never confirms what nobody takes: nack, and returned where that was asked for")
    func unroutable() {
        var session = opened()
        #expect(
            methods(publish(&session, key: "elsewhere")) == [.basicNack(tag: 1, isMultiple: false, requeues: false)])
        let returned = AMQPMethod.basicReturn(
            code: 312, text: "NO_ROUTE", exchange: Self.exchange, routingKey: "elsewhere")
        let actions = publish(&session, key: "elsewhere", mandatory: true)
        #expect(methods(actions) == [returned, .basicNack(tag: 2, isMultiple: false, requeues: false)])
        #expect(actions.contains(.send(.header(channel: 1, AMQPContentHeader(bodySize: 0)))))
        _ = publish(&session)
        let failure = ConnectorFailure(.unknownConnector, "removed")
        #expect(methods(session.settled(id(3), failure)) == [.basicNack(tag: 3, isMultiple: false, requeues: false)])

        var plain = opened(confirms: false)
        #expect(code(publish(&plain, key: "elsewhere")) == 312)
        var other = opened(confirms: false)
        #expect(methods(publish(&other, key: "elsewhere", mandatory: true)) == [returned])
    }

    @Test("takes the name of its queue on the exchange without a name, and nobody else's")
    func addresses() {
        var session = opened()
        #expect(publish(&session, exchange: "", key: "push_a").count == 3)
        #expect(code(publish(&session, key: "push_routing_b")) == 403)
        var second = opened()
        #expect(code(publish(&second, exchange: "amq.topic")) == 404)
        // The channel is closed; what still comes on it is passed over until the client has answered.
        #expect(publish(&second).isEmpty)
        #expect(second.received(.method(channel: 1, .channelCloseOK), at: .zero).isEmpty)
        #expect(methods(second.received(.method(channel: 1, .channelOpen), at: .zero)) == [.channelOpenOK])
    }

    @Test("does not confirm on a new channel what was published on an old one with its number")
    func epochs() {
        var session = opened()
        _ = publish(&session)
        _ = session.received(.method(channel: 1, .channelClose(AMQPClosing(.success, "bye"))), at: .zero)
        _ = session.received(.method(channel: 1, .channelOpen), at: .zero)
        #expect(session.settled(id(1), nil).isEmpty)
    }

    @Test(
        "refuses what is out of order",
        arguments: [
            (.header(channel: 1, AMQPContentHeader(bodySize: 1)), 505), (.body(channel: 1, ByteBuffer()), 505),
            (.method(channel: 1, .channelOpen), 504), (.method(channel: 2, .confirmSelect(noWait: false)), 504),
            (.method(channel: 65, .channelOpen), 530), (.method(channel: 1, .other(AMQPMethodID(60, 20))), 540),
            (.method(channel: 1, .other(AMQPMethodID(60, 70))), 540),
            (.method(channel: 1, .other(AMQPMethodID(90, 10))), 540),
            (.method(channel: 0, .other(AMQPMethodID(10, 70))), 540),
            (.method(channel: 1, .basicAck(tag: 1, isMultiple: false)), 503),
            (.method(channel: 0, .connectionTune(AMQPTuning(channelMost: 0, frameMost: 0, heartbeat: 0))), 503),
            (
                .method(channel: 1, .basicPublish(exchange: "", routingKey: "", isMandatory: false, isImmediate: true)),
                540
            ),
        ] as [(AMQPFrame, UInt16)])
    func order(frame: AMQPFrame, code: UInt16) {
        var session = opened()
        #expect(self.code(session.received(frame, at: .zero)) == code)
        guard case .closing = session.phase else {
            Issue.record("it goes on")
            return
        }
        #expect(session.received(.method(channel: 1, .channelOpen), at: .zero).isEmpty)
        #expect(session.received(.method(channel: 0, .connectionCloseOK), at: .zero) == [.close(reason: "closed")])
    }

    @Test("refuses content that is not as its header says")
    func content() {
        let method = AMQPFrame.method(
            channel: 1,
            .basicPublish(exchange: Self.exchange, routingKey: "push_routing_a", isMandatory: false, isImmediate: false)
        )
        var session = opened()
        _ = session.received(method, at: .zero)
        #expect(code(session.received(method, at: .zero)) == 505)
        session = opened()
        _ = session.received(method, at: .zero)
        _ = session.received(.header(channel: 1, AMQPContentHeader(bodySize: 1)), at: .zero)
        let long = session.received(.body(channel: 1, ByteBuffer(string: "xx")), at: .zero)
        #expect(code(long) == 501 && long.first == .abandon(id(1)))
        session = opened()
        _ = session.received(method, at: .zero)
        #expect(code(session.received(.header(channel: 1, AMQPContentHeader(bodySize: .max)), at: .zero)) == 406)
        session = opened()
        _ = session.received(method, at: .zero)
        let empty = session.received(.header(channel: 1, AMQPContentHeader(bodySize: 0)), at: .zero)
        #expect(empty.last == .finish(id(1)))
    }

    @Test("gives up a message whose client closes in the middle of it")
    func halfMessage() {
        let method = AMQPMethod.basicPublish(
            exchange: Self.exchange, routingKey: "push_routing_a", isMandatory: false, isImmediate: false)
        let closings: [AMQPFrame] = [
            .method(channel: 1, .channelClose(AMQPClosing(.success, "bye"))),
            .method(channel: 0, .connectionClose(AMQPClosing(.success, "bye"))),
        ]
        for closing in closings {
            var session = opened()
            _ = session.received(.method(channel: 1, method), at: .zero)
            _ = session.received(.header(channel: 1, AMQPContentHeader(bodySize: 10)), at: .zero)
            #expect(session.received(closing, at: .zero).first == .abandon(id(1)))
        }
    }

    @Test("answers a close at once, but takes first what was sent without confirms")
    func close() {
        let close = AMQPFrame.method(channel: 0, .connectionClose(AMQPClosing(.success, "bye")))
        var session = opened()
        _ = publish(&session)
        #expect(methods(session.received(close, at: .zero)) == [.connectionCloseOK])
        #expect(session.phase == .closed)

        var plain = opened(confirms: false)
        _ = publish(&plain)
        #expect(plain.received(close, at: .zero).isEmpty)
        #expect(methods(plain.settled(id(1, confirmed: false), nil)) == [.connectionCloseOK])
    }

    @Test("says what is there when it is asked passively")
    func declarations() {
        func ask(_ name: String, exchange: Bool, passive: Bool = true) -> [Action] {
            var session = opened()
            var declaration = AMQPDeclaration(name: name)
            declaration.isPassive = passive
            declaration.type = "direct"
            let method: AMQPMethod = exchange ? .exchangeDeclare(declaration) : .queueDeclare(declaration)
            let actions = session.received(.method(channel: 1, method), at: .zero)
            guard case .count(let channel, let epoch, let queue) = actions.first else { return actions }
            return session.counted(7, channel: channel, epoch: epoch, queue: queue)
        }
        #expect(methods(ask(Self.exchange, exchange: true)) == [.exchangeDeclareOK])
        #expect(code(ask("other", exchange: true)) == 404)
        #expect(code(ask("other", exchange: true, passive: false)) == 403)
        #expect(methods(ask("push_a", exchange: false)) == [.queueDeclareOK(name: "push_a", messages: 7, consumers: 0)])
        #expect(code(ask("push_b", exchange: false)) == 404)
        #expect(code(ask("mine", exchange: false, passive: false)) == 403)
    }

    @Test("sends heartbeats at half the interval, also while a message is held, and tells that it is")
    func heartbeats() {
        var session = opened()
        _ = publish(&session)
        session.sent(at: .zero)
        func tick(_ seconds: Double, waits: Double? = 0) -> [Action] {
            session.tick(
                at: at(seconds), isReading: true, isWithinFrame: false, waitsSince: waits.map { at($0) })
        }
        #expect(tick(1).isEmpty)
        guard case .connectionBlocked = methods(tick(3)).first else {
            Issue.record("not told")
            return
        }
        #expect(tick(5) == [.send(.heartbeat)])
        session.sent(at: at(5))
        _ = session.received(.heartbeat, at: at(6))
        #expect(tick(9).isEmpty)
        #expect(tick(10) == [.send(.heartbeat)])
        #expect(methods(session.released()) == [.connectionUnblocked])
        #expect(session.released().isEmpty)
        #expect(tick(26.5, waits: nil) == [.close(reason: "no heartbeat")])
    }

    @Test("does not blame a client for silence while Weir itself does not read")
    func backpressure() {
        var session = opened()
        for second in stride(from: 1.0, to: 100, by: 1) {
            let actions = session.tick(at: at(second), isReading: false, isWithinFrame: true, waitsSince: nil)
            #expect(!actions.contains { if case .close = $0 { true } else { false } })
        }
    }

    @Test("does not wait for ever: handshake, half messages, unanswered closes")
    func patience() {
        func tick(_ session: inout AMQPSession, _ seconds: Double, within: Bool = false) -> [Action] {
            session.tick(at: at(seconds), isReading: true, isWithinFrame: within, waitsSince: nil)
        }
        var fresh = AMQPSession(.init(), at: .zero)
        #expect(tick(&fresh, 9).isEmpty)
        #expect(tick(&fresh, 10) == [.close(reason: "the handshake took too long")])
        var session = opened()
        session.heartbeat = nil
        #expect(tick(&session, 61).isEmpty)
        #expect(tick(&session, 61, within: true) == [.close(reason: "a message stopped coming")])
        var idle = opened()
        idle.heartbeat = nil
        #expect(tick(&idle, 1_800).isEmpty)
        #expect(code(tick(&idle, 1_801)) == 320)
        var waiting = opened()
        waiting.heartbeat = nil
        _ = publish(&waiting)
        #expect(tick(&waiting, 9_999).isEmpty, "its confirm is held")
        var closing = opened()
        #expect(code(closing.stop("bye", at: .zero)) == 320)
        #expect(tick(&closing, 4).isEmpty)
        #expect(tick(&closing, 5) == [.close(reason: "no answer to the close")])
    }

    @Test("survives any order of frames: at most one answer a message, and it always ends")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        let closing = AMQPClosing(.success, "bye")
        for _ in 0..<500 {
            var session = opened(confirms: Bool.random(using: &random))
            var finished: [AMQPPublishID] = []
            var answers = 0
            for _ in 0..<60 {
                let channel = UInt16.random(in: 0...2, using: &random)
                let frames: [AMQPFrame] = [
                    .method(channel: channel, .channelOpen), .method(channel: channel, .confirmSelect(noWait: true)),
                    .method(
                        channel: 1,
                        .basicPublish(
                            exchange: Self.exchange, routingKey: Bool.random(using: &random) ? "push_routing_a" : "x",
                            isMandatory: Bool.random(using: &random), isImmediate: false)),
                    .header(channel: 1, AMQPContentHeader(bodySize: UInt64.random(in: 0...2, using: &random))),
                    .body(channel: 1, ByteBuffer(string: "x")), .method(channel: channel, .channelClose(closing)),
                    .method(channel: channel, .channelCloseOK), .heartbeat,
                ]
                guard let frame = frames.randomElement(using: &random) else { continue }
                for action in session.received(frame, at: .zero) {
                    if case .finish(let id) = action { finished.append(id) }
                }
                if Bool.random(using: &random), let id = finished.popLast() {
                    let failure = Bool.random(using: &random) ? ConnectorFailure(.storage, "x") : nil
                    for action in session.settled(id, failure) {
                        if case .send(.method(_, .basicAck)) = action { answers += 1 }
                    }
                    #expect(session.settled(id, nil).isEmpty)
                }
            }
            #expect(answers <= 60)
            _ = session.end("done")
            #expect(session.phase == .closed)
        }
    }
}
