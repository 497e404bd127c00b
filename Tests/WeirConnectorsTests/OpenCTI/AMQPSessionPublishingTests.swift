import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("An AMQP session that publishes")
struct AMQPSessionPublishingTests: AMQPSessionTalk {
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
}
