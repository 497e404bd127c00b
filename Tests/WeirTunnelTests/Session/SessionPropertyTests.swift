import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// Two sessions, a link that takes time, readers of any speed: what must hold at every step.
@Suite("Any run of a session")
struct SessionPropertyTests {
    /// A link that delivers frames in order, some at a time.
    struct Way {
        var frames: [YamuxHeader] = []
    }

    @Test("never sends more than was granted, forgets nothing, and comes to rest", arguments: 0..<300)
    func conservation(seed: Int) throws {
        var chance = SplitMix(seed: UInt64(seed))
        var settings = Session.Settings(role: .client)
        settings.memory = 1 << 20
        var client = Session(settings, at: .zero)
        var serverSettings = Session.Settings(role: .server)
        serverSettings.memory = 1 << 20
        var server = Session(serverSettings, at: .zero)
        var toServer = Way()
        var toClient = Way()
        var toSend: [UInt32: Int] = [:]
        var sent: [UInt32: Int] = [:]
        var came: [UInt32: Int] = [:]
        var unread: [UInt32: Int] = [:]
        var finished: Set<UInt32> = []
        var now = Moment.zero

        func step(_ trouble: Bool) throws {
            now = now + .microseconds(Int.random(in: 1...5_000, using: &chance))
            _ = client.tick(at: now, fraction: 0.5)
            _ = server.tick(at: now, fraction: 0.5)
            if trouble, toSend.count < 8, Int.random(in: 0..<4, using: &chance) == 0 {
                toSend[try server.open(at: now)] = Int.random(in: 0...2_000_000, using: &chance)
            }
            // The server sends; its control frames go first.
            toClient.frames += server.takeControl()
            for id in toSend.keys.sorted() {
                let left = (toSend[id] ?? 0) - sent[id, default: 0]
                let amount = server.take(left, of: id, at: now)
                if amount > 0 {
                    sent[id, default: 0] += amount
                    toClient.frames.append(YamuxHeader(.data, stream: id, length: UInt32(amount)))
                } else if left == 0 {
                    server.finish(id, at: now)
                    toClient.frames += server.takeControl()
                }
            }
            // Some of what is on its way arrives.
            for _ in 0..<Int.random(in: 0...toClient.frames.count, using: &chance) {
                let frame = toClient.frames.removeFirst()
                let received = try client.received(frame, at: now)
                #expect(received.reset == nil && !received.isDiscarded)
                if received.isOpened { client.accept(received.stream) }
                came[received.stream, default: 0] += received.payload
                unread[received.stream, default: 0] += received.payload
                if received.isFinished { finished.insert(received.stream) }
            }
            // Readers take what they like, and some take nothing while there is trouble.
            for id in unread.keys.sorted() {
                let slow = trouble && id % 4 == 0
                let amount = slow ? 0 : Int.random(in: 0...(unread[id] ?? 0), using: &chance)
                client.taken(trouble ? amount : unread[id] ?? 0, of: id, at: now)
                unread[id, default: 0] -= trouble ? amount : unread[id] ?? 0
                if finished.contains(id), unread[id] == 0 { client.finish(id, at: now) }
            }
            toServer.frames += client.takeControl()
            for _ in 0..<Int.random(in: 0...toServer.frames.count, using: &chance) {
                let frame = toServer.frames.removeFirst()
                _ = try server.received(frame, at: now)
            }
            for (id, stream) in server.streams {
                #expect(stream.credit >= 0)
                let granted = client.streams[id]?.granted ?? 0
                #expect(client.streams[id] == nil || granted >= 0)
            }
            #expect(client.unread == unread.values.reduce(0, +))
            #expect(client.growth <= settings.memory && client.growth >= 0)
        }

        for _ in 0..<300 { try step(true) }
        for _ in 0..<4_000 where !(client.streamCount == 0 && server.streamCount == 0) { try step(false) }
        #expect(sent == toSend.filter { $0.value > 0 } && came.filter { $0.value > 0 } == sent)
        #expect(client.streamCount == 0 && server.streamCount == 0, "all streams have ended")
        #expect(client.unread == 0 && client.growth == 0 && server.growth == 0)
    }

    @Test("of any bytes ends with a fault or goes on, and stays within its bounds", arguments: 0..<200)
    func fuzz(seed: Int) {
        var chance = SplitMix(seed: UInt64(seed))
        var session = Session(Session.Settings(role: .server), at: .zero)
        var now = Moment.zero
        for _ in 0..<2_000 {
            now = now + .milliseconds(Int.random(in: 0...50, using: &chance))
            let kind = YamuxHeader.Kind(rawValue: UInt8.random(in: 0...3, using: &chance)) ?? .data
            let frame = YamuxHeader(
                kind, .init(rawValue: UInt16.random(in: 0...15, using: &chance)),
                stream: UInt32.random(in: 0...40, using: &chance),
                length: UInt32.random(in: 0...1 << UInt32.random(in: 0...31, using: &chance), using: &chance))
            guard let received = try? session.received(frame, at: now) else { return }
            if received.isOpened, Bool.random(using: &chance) { session.accept(received.stream) }
            if !received.isDiscarded, received.payload > 0, Bool.random(using: &chance) {
                session.taken(received.payload, of: received.stream, at: now)
            }
            #expect(session.unread >= 0 && session.growth >= 0 && session.streamCount <= 40)
            if Int.random(in: 0..<10, using: &chance) == 0 { _ = session.takeControl() }
        }
    }
}
