import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("The order of an AMQP session")
struct AMQPSessionOrderTests: AMQPSessionTalk {
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
