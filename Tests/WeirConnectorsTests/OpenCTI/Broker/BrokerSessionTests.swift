import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("A session with RabbitMQ")
struct BrokerSessionTests {
    typealias Action = BrokerSession.Action

    private func at(_ seconds: Double) -> Moment { Moment(nanoseconds: Int64(seconds * 1e9)) }

    private func method(_ method: AMQPMethod, channel: UInt16 = 0) -> AMQPFrame { .method(channel: channel, method) }

    private func methods(_ actions: [Action]) -> [AMQPMethod] {
        actions.compactMap { if case .send(.method(_, let method)) = $0 { method } else { nil } }
    }

    private static let start = AMQPMethod.connectionStart(
        properties: AMQPTable([.init("version", .text("4.1.0"))]), mechanisms: "AMQPLAIN PLAIN", locales: "en_US")

    private func opened(heartbeat: UInt16 = 60, channels: UInt16 = 2_047) -> BrokerSession {
        var settings = BrokerSession.Settings()
        (settings.user, settings.password, settings.connection) = ("weir", "secret", 7)
        var session = BrokerSession(settings, at: .zero)
        _ = session.received(method(Self.start), at: .zero)
        let tuning = AMQPTuning(channelMost: channels, frameMost: 131_072, heartbeat: heartbeat)
        _ = session.received(method(.connectionTune(tuning)), at: .zero)
        _ = session.received(method(.connectionOpenOK), at: .zero)
        return session
    }

    /// A lane that consumes, with all of its steps answered.
    private func consuming(_ session: inout BrokerSession, _ id: ConnectorID = "a") throws -> BrokerLane {
        let steps: [AMQPMethod] = [.channelOpen, .basicConsume(queue: "push_\(id)", tag: "weir")]
        let begun = session.openLane(id, steps, isOneOff: false)
        let lane = try #require(begun).lane
        _ = session.received(method(.channelOpenOK, channel: lane.channel), at: .zero)
        let actions = session.received(method(.basicConsumeOK(tag: "weir"), channel: lane.channel), at: .zero)
        #expect(actions == [.completed(lane, .basicConsumeOK(tag: "weir"))])
        return lane
    }

    private func deliver(
        _ session: inout BrokerSession, _ lane: BrokerLane, tag: UInt64 = 1, _ bodies: [String], size: Int? = nil
    ) -> [Action] {
        let deliver = AMQPMethod.basicDeliver(
            consumer: "weir", tag: tag, isRedelivered: false, exchange: "e", routingKey: "k")
        let size = size ?? bodies.joined().utf8.count
        var actions = session.received(method(deliver, channel: lane.channel), at: .zero)
        actions += session.received(
            .header(channel: lane.channel, AMQPContentHeader(bodySize: UInt64(size))), at: .zero)
        for body in bodies {
            actions += session.received(.body(channel: lane.channel, ByteBuffer(string: body)), at: .zero)
        }
        return actions
    }

    @Test("logs in, takes the lower limits of both, and says which broker it is")
    func handshake() throws {
        var settings = BrokerSession.Settings()
        (settings.user, settings.password, settings.vhost) = ("weir", "secret", "opencti")
        var session = BrokerSession(settings, at: .zero)
        #expect(session.connected() == [.sendProtocolHeader])
        let login = methods(session.received(method(Self.start), at: .zero))
        guard case .connectionStartOK(_, "PLAIN", let response, _) = try #require(login.first) else {
            Issue.record("no login: \(login)")
            return
        }
        #expect(String(buffer: response) == "\0weir\0secret")
        let offered = AMQPTuning(channelMost: 100, frameMost: 8_192, heartbeat: 0)
        #expect(
            methods(session.received(method(.connectionTune(offered)), at: .zero)) == [
                .connectionTuneOK(AMQPTuning(channelMost: 100, frameMost: 8_192, heartbeat: 30)),
                .connectionOpen(vhost: "opencti"),
            ])
        #expect(session.received(method(.connectionOpenOK), at: .zero) == [.opened(version: "4.1.0")])
        #expect(session.frameMost == 8_192)
    }

    @Test("says why it was refused")
    func refused() {
        var session = BrokerSession(BrokerSession.Settings(), at: .zero)
        _ = session.received(method(Self.start), at: .zero)
        let closing = AMQPClosing(.accessRefused, "Login was refused", cause: AMQPMethodID(0, 0))
        let actions = session.received(method(.connectionClose(closing)), at: .zero)
        #expect(methods(actions) == [.connectionCloseOK])
        guard case .close(let trouble)? = actions.last else {
            Issue.record("not closed: \(actions)")
            return
        }
        #expect(trouble.code == .refused && trouble.sentence.contains("Login was refused"))
        // Some brokers only hang up.
        var other = BrokerSession(BrokerSession.Settings(), at: .zero)
        _ = other.received(method(Self.start), at: .zero)
        guard case .close(let second)? = other.end(BrokerTrouble(.unreachable, "gone")).last else { return }
        #expect(second.code == .refused)
    }

    @Test("sends the steps of a lane one after the other, and closes a lane of one question")
    func steps() throws {
        var session = opened()
        let begun = session.openLane("a", BrokerTopology.counting("a"), isOneOff: true)
        let (lane, first) = try #require(begun)
        #expect(methods(first) == [.channelOpen])
        let second = methods(session.received(method(.channelOpenOK, channel: lane.channel), at: .zero))
        #expect(second.count == 1 && second.first?.id == AMQPMethodID(50, 10))
        let answer = AMQPMethod.queueDeclareOK(name: "push_a", messages: 3, consumers: 1)
        let last = session.received(method(answer, channel: lane.channel), at: .zero)
        #expect(last.first == .completed(lane, answer))
        #expect(methods(last).first?.id == AMQPMethodID(20, 40))
        #expect(session.received(method(.channelCloseOK, channel: lane.channel), at: .zero).isEmpty)
        #expect(session.channels.isEmpty)
    }

    @Test("an answer to something else is a mistake of the broker's and ends the connection")
    func wrongAnswer() throws {
        var session = opened()
        let begun = session.openLane("a", BrokerTopology.counting("a"), isOneOff: true)
        let lane = try #require(begun).lane
        let actions = session.received(method(.basicQosOK, channel: lane.channel), at: .zero)
        #expect(actions.contains { if case .ended(lane, _) = $0 { true } else { false } })
        #expect(methods(actions).last?.id == AMQPMethodID(10, 50))
    }

    @Test("a bundle comes in pieces; an empty one too")
    func content() throws {
        var session = opened()
        let lane = try consuming(&session)
        let actions = deliver(&session, lane, ["{\"a\":", "1}"])
        var delivery = BrokerDelivery(lane: lane, tag: 1, isRedelivered: false)
        delivery.byteCount = 7
        #expect(
            actions == [
                .begin(delivery), .body(delivery, ByteBuffer(string: "{\"a\":")),
                .body(delivery, ByteBuffer(string: "1}")), .finish(delivery),
            ])
        var empty = BrokerDelivery(lane: lane, tag: 2, isRedelivered: false)
        empty.byteCount = 0
        #expect(deliver(&session, lane, tag: 2, []) == [.begin(empty), .finish(empty)])
        #expect(methods(session.settle(delivery, isAcknowledged: true)) == [.basicAck(tag: 1, isMultiple: false)])
        #expect(
            methods(session.settle(empty, isAcknowledged: false))
                == [.basicNack(tag: 2, isMultiple: false, requeues: true)])
    }

    @Test("more content than was announced ends the connection")
    func tooMuch() throws {
        var session = opened()
        let lane = try consuming(&session)
        let actions = deliver(&session, lane, ["12345"], size: 4)
        #expect(methods(actions).last?.id == AMQPMethodID(10, 50))
    }

    @Test("a channel that RabbitMQ closes ends that lane only, and nothing of it is acknowledged on another")
    func laneEnds() throws {
        var session = opened()
        let (lane, other) = (try consuming(&session, "a"), try consuming(&session, "b"))
        _ = deliver(&session, lane, ["12"], size: 4)
        let closing = AMQPClosing(.preconditionFailed, "delivery acknowledgement timed out", cause: .init(0, 0))
        let actions = session.received(method(.channelClose(closing), channel: lane.channel), at: .zero)
        #expect(methods(actions) == [.channelCloseOK])
        var begun = BrokerDelivery(lane: lane, tag: 1, isRedelivered: false)
        begun.byteCount = 4
        #expect(actions.contains(.abandon(begun)))
        #expect(session.settle(begun, isAcknowledged: true).isEmpty)
        // The channel's number is given again; the old tag must not reach the new lane.
        let again = try consuming(&session, "a")
        #expect(again.channel == lane.channel && again != lane)
        #expect(session.settle(begun, isAcknowledged: true).isEmpty)
        #expect(!deliver(&session, other, ["x"]).isEmpty)
    }

    @Test("a queue that is deleted ends its lane")
    func cancelled() throws {
        var session = opened()
        let lane = try consuming(&session)
        let actions = session.received(
            method(.basicCancel(tag: "weir", noWait: true), channel: lane.channel), at: .zero)
        #expect(actions.contains { if case .ended(lane, _) = $0 { true } else { false } })
        // What was on its way is passed over.
        #expect(deliver(&session, lane, ["x"]).isEmpty)
        #expect(session.received(method(.channelCloseOK, channel: lane.channel), at: .zero).isEmpty)
        #expect(session.channels.isEmpty)
    }

    @Test("sends heartbeats at half of the time, and gives up after twice of it")
    func heartbeats() {
        var session = opened(heartbeat: 10)
        #expect(session.tick(at: at(4), isReading: true).isEmpty)
        #expect(session.tick(at: at(5), isReading: true) == [.send(.heartbeat)])
        session.sent(at: at(5))
        _ = session.received(.heartbeat, at: at(6))
        // While Weir does not read, silence says nothing.
        #expect(!session.tick(at: at(27), isReading: false).contains { if case .close = $0 { true } else { false } })
        #expect(!session.tick(at: at(46), isReading: true).contains { if case .close = $0 { true } else { false } })
        #expect(session.tick(at: at(47), isReading: true).contains { if case .close = $0 { true } else { false } })
    }

    @Test("a broker that does not answer the handshake is given up")
    func silence() {
        var session = BrokerSession(BrokerSession.Settings(), at: .zero)
        #expect(session.tick(at: at(19), isReading: true).isEmpty)
        guard case .close(let trouble)? = session.tick(at: at(20), isReading: true).last else {
            Issue.record("not given up")
            return
        }
        #expect(trouble.code == .unreachable)
    }

    @Test("the end of the connection ends all lanes, once")
    func end() throws {
        var session = opened()
        let lanes = [try consuming(&session, "a"), try consuming(&session, "b")]
        let actions = session.end(BrokerTrouble(.unreachable, "gone"))
        for lane in lanes { #expect(actions.contains(.ended(lane, BrokerTrouble(.unreachable, "gone")))) }
        #expect(session.end(BrokerTrouble(.unreachable, "gone")).isEmpty)
        let late = session.openLane("c", [.channelOpen], isOneOff: true)
        #expect(late == nil)
    }

    @Test("there are no more lanes than channels")
    func channelsMost() throws {
        var session = opened(channels: 2)
        _ = try consuming(&session, "a")
        _ = try consuming(&session, "b")
        let third = session.openLane("c", [.channelOpen], isOneOff: false)
        #expect(third == nil)
    }

    @Test("a stop is said and waits for the answer, five seconds at most")
    func stop() throws {
        var session = opened()
        #expect(methods(session.stop(at: .zero)).last?.id == AMQPMethodID(10, 50))
        var other = session
        #expect(session.received(method(.connectionCloseOK), at: at(1)).last == .close(.init(.stopped, "Weir stops.")))
        #expect(other.tick(at: at(4), isReading: true).isEmpty)
        #expect(other.tick(at: at(5), isReading: true).last == .close(.init(.stopped, "Weir stops.")))
    }
}
