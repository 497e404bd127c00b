import NIOCore
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// Two sessions and the frames between them.
struct Wire {
    var client: Session
    var server: Session
    var now = Moment.zero

    init(_ change: (inout Session.Settings) -> Void = { _ in }) {
        var client = Session.Settings(role: .client)
        var server = Session.Settings(role: .server)
        change(&client)
        change(&server)
        self.client = Session(client, at: .zero)
        self.server = Session(server, at: .zero)
    }

    /// Carries all control frames until both sides are silent.
    mutating func exchange() throws -> (client: [Session.Received], server: [Session.Received]) {
        var seen: (client: [Session.Received], server: [Session.Received]) = ([], [])
        while true {
            let toServer = client.takeControl()
            let toClient = server.takeControl()
            guard !toServer.isEmpty || !toClient.isEmpty else { return seen }
            for frame in toServer { seen.server.append(try server.received(frame, at: now)) }
            for frame in toClient { seen.client.append(try client.received(frame, at: now)) }
        }
    }

    mutating func opened() throws -> UInt32 {
        let id = try server.open(at: now)
        #expect(try exchange().client.map(\.isOpened) == [true])
        client.accept(id)
        #expect(try exchange().server.map(\.isAccepted) == [true])
        return id
    }
}

@Suite("A session")
struct SessionTests {
    @Test("opens streams from both sides, odd and even")
    func opens() throws {
        var wire = Wire()
        let odd = [try wire.client.open(at: .zero), try wire.client.open(at: .zero)]
        let even = [try wire.server.open(at: .zero), try wire.server.open(at: .zero)]
        #expect(odd == [1, 3] && even == [2, 4])
        let seen = try wire.exchange()
        #expect(seen.server.map(\.stream) == [1, 3] && seen.client.map(\.stream) == [2, 4])
        #expect(seen.server.map(\.isOpened) == [true, true])
    }

    @Test("grants 256 KiB, no byte more, and again when half of it was taken")
    func credit() throws {
        var wire = Wire()
        let id = try wire.opened()
        var sent = 0
        while true {
            let amount = wire.server.take(10_000, of: id, at: .zero)
            guard amount > 0 else { break }
            let received = try wire.client.received(
                YamuxHeader(.data, stream: id, length: UInt32(amount)), at: .zero)
            #expect(received.payload == amount && !received.isDiscarded)
            sent += amount
        }
        #expect(sent == 262_144 && wire.client.unread == sent)
        wire.client.taken(sent / 2 - 1, of: id, at: .zero)
        #expect(wire.client.takeControl().isEmpty)
        wire.client.taken(1, of: id, at: .zero)
        #expect(wire.client.takeControl() == [YamuxHeader(.window, stream: id, length: 131_072)])
    }

    @Test("resets a stream that sends more than it was granted, and only that one")
    func violation() throws {
        var wire = Wire()
        let wrong = try wire.opened()
        let other = try wire.opened()
        let received = try wire.client.received(YamuxHeader(.data, stream: wrong, length: 262_145), at: .zero)
        #expect(received.reset == .protocolMistake && received.isDiscarded && received.payload == 262_145)
        let seen = try wire.exchange()
        #expect(seen.server.compactMap(\.reset) == [.protocolMistake])
        #expect(wire.client.isForgotten(wrong) && !wire.client.isForgotten(other))
        #expect(wire.client.counts.mistakes == 1)
    }

    @Test("keeps one direction open when the other has finished, and forgets a stream after both")
    func halfClose() throws {
        var wire = Wire()
        let id = try wire.opened()
        wire.server.finish(id, at: .zero)
        wire.server.finish(id, at: .zero)
        #expect(try wire.exchange().client.map(\.isFinished) == [true])
        #expect(wire.server.take(1, of: id, at: .zero) == 0)
        #expect(wire.client.take(5, of: id, at: .zero) == 5)
        _ = try wire.server.received(YamuxHeader(.data, stream: id, length: 5), at: .zero)
        wire.client.finish(id, at: .zero)
        _ = try wire.exchange()
        #expect(wire.client.isForgotten(id) && !wire.server.isForgotten(id), "five bytes are not taken yet")
        wire.server.taken(5, of: id, at: .zero)
        #expect(wire.server.isForgotten(id) && wire.server.unread == 0)
    }

    @Test("a second FIN resets its stream")
    func secondFinish() throws {
        var wire = Wire()
        let id = try wire.opened()
        _ = try wire.client.received(YamuxHeader(.window, .finish, stream: id), at: .zero)
        let again = try wire.client.received(YamuxHeader(.window, .finish, stream: id), at: .zero)
        #expect(again.reset == .protocolMistake)
    }

    @Test("carries the reason of a reset; a peer that knows none sends none")
    func reasons() throws {
        var wire = Wire()
        for reason in StreamReason.allCases {
            let id = try wire.opened()
            wire.client.reset(id, reason)
            #expect(try wire.exchange().server.compactMap(\.reset) == [reason])
        }
        let id = try wire.opened()
        let received = try wire.client.received(YamuxHeader(.data, .reset, stream: id, length: 0), at: .zero)
        #expect(received.reset == .unspecified)
    }

    @Test("refuses streams over its limits and while it drains")
    func limits() throws {
        var wire = Wire { $0.streamsMost = 2 }
        _ = try wire.opened()
        _ = try wire.opened()
        #expect(throws: Session.OpenRefusal.busy) { try wire.server.open(at: .zero) }
        _ = try wire.client.received(YamuxHeader(.window, .open, stream: 40), at: .zero)
        #expect(
            wire.client.takeControl()
                == [YamuxHeader(.window, .reset, stream: 40, length: StreamReason.busy.rawValue)])
        wire.client.drain()
        let seen = try wire.exchange()
        #expect(seen.server.compactMap(\.goAway) == [0])
        #expect(throws: Session.OpenRefusal.draining) { try wire.server.open(at: .zero) }
    }

    @Test("at most 256 streams wait to be accepted")
    func backlog() throws {
        var wire = Wire()
        for _ in 0..<256 { _ = try wire.server.open(at: .zero) }
        #expect(throws: Session.OpenRefusal.busy) { try wire.server.open(at: .zero) }
        _ = try wire.exchange()
        wire.client.accept(2)
        _ = try wire.exchange()
        #expect(try wire.server.open(at: .zero) == 514)
    }

    @Test(
        "ends where what follows has no meaning",
        arguments: [
            (YamuxHeader(.data, stream: 0, length: 1), Session.SessionFault.streamZero),
            (YamuxHeader(.window, .open, stream: 3), .parity(3)),
            (YamuxHeader(.data, stream: 2, length: 16 << 20 + 1), .frameTooLong(16 << 20 + 1)),
        ])
    func faults(frame: YamuxHeader, fault: Session.SessionFault) {
        var client = Session(Session.Settings(role: .client), at: .zero)
        #expect(throws: fault) { try client.received(frame, at: .zero) }
    }

    @Test("a stream is opened once")
    func openedTwice() throws {
        var client = Session(Session.Settings(role: .client), at: .zero)
        _ = try client.received(YamuxHeader(.window, .open, stream: 2), at: .zero)
        #expect(throws: Session.SessionFault.openedTwice(2)) {
            try client.received(YamuxHeader(.window, .open, stream: 2), at: .zero)
        }
    }

    @Test("skips what comes for a stream that it has forgotten")
    func late() throws {
        var wire = Wire()
        let id = try wire.opened()
        wire.client.reset(id, .idle)
        let received = try wire.client.received(YamuxHeader(.data, stream: id, length: 9), at: .zero)
        #expect(received.isDiscarded && received.payload == 9 && wire.client.unread == 0)
        let late = try wire.client.received(YamuxHeader(.window, stream: id, length: 9), at: .zero)
        #expect(late.isDiscarded)
    }

    @Test("widens a window that is used up within four round trips, within its memory")
    func tuning() throws {
        var wire = Wire { $0.memory = 1 << 20 }
        let id = try wire.opened()
        // The first ping is asked at once; its answer says that the peer is 10 ms away.
        _ = wire.client.tick(at: .zero, fraction: 0)
        let ping = try #require(wire.client.takeControl().first { $0.kind == .ping })
        wire.now = .zero + .milliseconds(10)
        _ = try wire.client.received(YamuxHeader(.ping, .accept, stream: 0, length: ping.length), at: wire.now)
        var windows: [Int] = []
        for _ in 0..<6 {
            var turn = 0
            while true {
                let amount = wire.server.take(.max, of: id, at: wire.now)
                guard amount > 0 else { break }
                turn += amount
                _ = try wire.client.received(YamuxHeader(.data, stream: id, length: UInt32(amount)), at: wire.now)
                wire.client.taken(amount, of: id, at: wire.now)
            }
            windows.append(turn)
            wire.now = wire.now + .milliseconds(1)
            _ = try wire.exchange()
        }
        #expect(wire.client.growth == 768 << 10, "256 KiB became 1 MiB; twice that is over the memory")
        #expect(windows.last == 1 << 20)
        wire.client.reset(id, .idle)
        #expect(wire.client.growth == 0)
    }

    @Test("does not widen the window of a stream that is read slowly")
    func slow() throws {
        var wire = Wire()
        let id = try wire.opened()
        _ = wire.client.tick(at: .zero, fraction: 0)
        _ = try wire.exchange()
        for _ in 0..<20 {
            while true {
                let amount = wire.server.take(.max, of: id, at: wire.now)
                guard amount > 0 else { break }
                _ = try wire.client.received(YamuxHeader(.data, stream: id, length: UInt32(amount)), at: wire.now)
            }
            wire.now = wire.now + .seconds(1)
            wire.client.taken(wire.client.unread, of: id, at: wire.now)
            _ = try wire.exchange()
        }
        #expect(wire.client.growth == 0)
    }

    @Test("finds a dead peer within 25 s, whatever chance says, and keeps one that only answers late")
    func pulse() throws {
        for fraction in [0.0, 0.5, 0.999] {
            var session = Session(Session.Settings(role: .server), at: .zero)
            _ = session.tick(at: .zero, fraction: fraction)
            let ping = try #require(session.takeControl().first)
            _ = try session.received(YamuxHeader(.ping, .accept, stream: 0, length: ping.length), at: .zero)
            // Looked at a little less than once a second.
            var time = Duration.zero
            while !session.tick(at: .zero + time, fraction: fraction).isDead { time += .milliseconds(1_040) }
            #expect((.seconds(18)...(.seconds(25))).contains(time))

            var busy = Session(Session.Settings(role: .server), at: .zero)
            for second in 0..<100 {
                let now = Moment.zero + .seconds(second)
                #expect(!busy.tick(at: now, fraction: fraction).isDead, "bytes come, only the answer does not")
                busy.heard(at: now)
            }
        }
    }

    @Test("ends streams that are silent after one FIN, or at all")
    func silence() throws {
        var wire = Wire { $0.idleTimeout = .seconds(1_000) }
        let half = try wire.opened()
        let whole = try wire.opened()
        wire.client.finish(half, at: .zero)
        _ = try wire.exchange()
        #expect(wire.client.tick(at: .zero + .seconds(299), fraction: 0).ended.isEmpty)
        wire.client.heard(at: .zero + .seconds(300))
        #expect(
            wire.client.tick(at: .zero + .seconds(300), fraction: 0).ended
                == [.init(stream: half, reason: .finishWait)])
        wire.client.heard(at: .zero + .seconds(1_000))
        #expect(
            wire.client.tick(at: .zero + .seconds(1_000), fraction: 0).ended
                == [.init(stream: whole, reason: .idle)])
    }
}
