import NIOCore
import WeirWires
import WeirWorld

@testable import WeirConnectors

/// What a client says to an `AMQPSession` and what it is answered, for the suites about it.
protocol AMQPSessionTalk {}

extension AMQPSessionTalk {
    typealias Action = AMQPSession.Action
    static var exchange: String { ConnectorTopology.workerExchange }

    func at(_ seconds: Double) -> Moment { Moment(nanoseconds: Int64(seconds * 1e9)) }

    func startOK(
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

    func tuneOK(heartbeat: UInt16 = 10, frame: UInt32 = 131_072, channels: UInt16 = 2_047) -> AMQPFrame {
        .method(
            channel: 0, .connectionTuneOK(AMQPTuning(channelMost: channels, frameMost: frame, heartbeat: heartbeat)))
    }

    func opened(confirms: Bool = true, settings: AMQPSession.Settings = .init()) -> AMQPSession {
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

    func publish(
        _ session: inout AMQPSession, exchange: String = ConnectorTopology.workerExchange,
        key: String = "push_routing_a",
        mandatory: Bool = false, body: String = "{}"
    ) -> [Action] {
        let method = AMQPMethod.basicPublish(
            exchange: exchange, routingKey: key, isMandatory: mandatory, isImmediate: false)
        let header = AMQPContentHeader(bodySize: UInt64(body.utf8.count))
        return session.received(.method(channel: 1, method), at: .zero)
            + session.received(.header(channel: 1, header), at: .zero)
            + session.received(.body(channel: 1, ByteBuffer(string: body)), at: .zero)
    }

    func methods(_ actions: [Action]) -> [AMQPMethod] {
        actions.compactMap { action in
            if case .send(.method(_, let method)) = action { return method }
            return nil
        }
    }

    func code(_ actions: [Action]) -> UInt16? {
        for method in methods(actions) {
            switch method {
            case .connectionClose(let closing), .channelClose(let closing): return closing.code
            default: continue
            }
        }
        return nil
    }

    func id(_ number: UInt64, confirmed: Bool = true) -> AMQPPublishID {
        AMQPPublishID(channel: 1, epoch: 1, number: number, isConfirmed: confirmed)
    }
}
