import NIOCore
import NIOEmbedded
import Synchronization
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConsole

@Suite("The rest of an event loop")
struct LoopRestTests {
    private static let start = Moment(nanoseconds: 0) + .seconds(1_000)
    private static let longAgo = start - .seconds(40)

    /// - Returns: after two seconds in which so many quiet connections asked each second.
    private static func rest(after requests: Int, seconds: Int = 2) -> (LoopRest, Moment) {
        var rest = LoopRest()
        var now = start
        for second in 0..<seconds {
            for number in 0..<requests {
                now = start + .seconds(second) + .milliseconds(990 * number / requests)
                rest.asked(at: now, previous: longAgo)
            }
        }
        return (rest, now)
    }

    @Test("comes where many quiet connections ask in each second, and not for a few")
    func many() {
        for requests in 1...40 {
            let (rest, now) = Self.rest(after: requests)
            #expect(rest.isDue(at: now) == (requests >= LoopRest.requestsLeast), "\(requests)")
        }
        let (first, now) = Self.rest(after: 100, seconds: 1)
        #expect(!first.isDue(at: now))
    }

    @Test(
        "does not come for a second after a request of a connection that is new or asks often",
        arguments: [nil, Duration.zero, .seconds(9)])
    func awake(after: Duration?) {
        var (rest, now) = Self.rest(after: 100)
        rest.asked(at: now, previous: after.map { [now] in now - $0 })
        #expect(!rest.isDue(at: now))
        for second in 0..<3 {
            for number in 0..<100 {
                let later = now + .seconds(second) + .milliseconds(10 * number)
                rest.asked(at: later, previous: Self.longAgo)
                if later < now + LoopRest.awake { #expect(!rest.isDue(at: later)) }
            }
        }
        #expect(rest.isDue(at: now + .seconds(3)))
    }

    @Test("ends when nobody asks any more")
    func over() {
        var (rest, now) = Self.rest(after: 100)
        #expect(rest.isDue(at: now))
        now = now + .seconds(5)
        #expect(!rest.isDue(at: now))
        rest.asked(at: now, previous: Self.longAgo)
        #expect(!rest.isDue(at: now))
    }

    @Test("is one for all that was read at once, after it was answered")
    func once() {
        let loop = EmbeddedEventLoop()
        let time = ManualTime()
        let pauses = Pauses()
        let resting = RestingLoop(loop, time: time) { pauses.add($0) }
        func ask(_ count: Int) {
            for _ in 0..<count {
                var previous: Moment? = time.now - .seconds(40)
                resting.asked(&previous)
                #expect(previous == time.now)
            }
        }
        for _ in 0..<3 {
            ask(30)
            time.advance(by: .milliseconds(500))
            ask(30)
            time.advance(by: .milliseconds(500))
        }
        loop.run()
        pauses.clear()
        ask(20)
        #expect(pauses.all.isEmpty)
        loop.run()
        #expect(pauses.all == [LoopRest.pause])
        var first: Moment?
        resting.asked(&first)
        ask(20)
        loop.run()
        #expect(pauses.all == [LoopRest.pause])
    }
}

private final class Pauses: Sendable {
    private let kept = Mutex<[Duration]>([])

    var all: [Duration] { kept.withLock { $0 } }

    func add(_ pause: Duration) { kept.withLock { $0.append(pause) } }

    func clear() { kept.withLock { $0 = [] } }
}
