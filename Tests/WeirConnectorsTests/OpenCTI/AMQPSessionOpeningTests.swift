import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirConnectors

@Suite("An AMQP session, as it opens and closes")
struct AMQPSessionOpeningTests: AMQPSessionTalk {
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
        #expect(session.pulse.interval == .seconds(10) && session.channelMost == 64)
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

    @Test("does not wait for ever: handshake, half messages, unanswered closes")
    func patience() {
        func tick(_ session: inout AMQPSession, _ seconds: Double, within: Bool = false) -> [Action] {
            session.tick(at: at(seconds), isReading: true, isWithinFrame: within, waitsSince: nil)
        }
        var fresh = AMQPSession(.init(), at: .zero)
        #expect(tick(&fresh, 9).isEmpty)
        #expect(tick(&fresh, 10) == [.close(reason: "the handshake took too long")])
        var session = opened()
        session.pulse.interval = nil
        #expect(tick(&session, 61).isEmpty)
        #expect(tick(&session, 61, within: true) == [.close(reason: "a message stopped coming")])
        var idle = opened()
        idle.pulse.interval = nil
        #expect(tick(&idle, 1_800).isEmpty)
        #expect(code(tick(&idle, 1_801)) == 320)
        var waiting = opened()
        waiting.pulse.interval = nil
        _ = publish(&waiting)
        #expect(tick(&waiting, 9_999).isEmpty, "its confirm is held")
        var closing = opened()
        #expect(code(closing.stop("bye", at: .zero)) == 320)
        #expect(tick(&closing, 4).isEmpty)
        #expect(tick(&closing, 5) == [.close(reason: "no answer to the close")])
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
}
