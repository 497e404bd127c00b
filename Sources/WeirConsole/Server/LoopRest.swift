import NIOCore
import Synchronization
import WeirWorld

/// When an event loop that serves very many quiet connections may leave them unread for a moment, so that it wakes once
/// for several requests.
///
/// Ten thousand connectors that ping every 40 s are 250 requests a second, each alone: a thread that wakes for one
/// finds its caches cold, and pays several times what the request itself costs. Network cards moderate their
/// interrupts for the same reason. The moment is only taken where nobody waits for the next answer: while all requests
/// come on connections that had been quiet for long.
struct LoopRest: Sendable {
    /// Of one moment; by so much an answer may be later.
    static let pause = Duration.milliseconds(100)
    /// A connection on which nothing was asked for so long is a quiet one.
    static let quiet = Duration.seconds(10)
    /// So long after any other request the loop goes to no rest: whoever sent it is likely to send the next one soon.
    static let awake = Duration.seconds(1)
    /// Requests of quiet connections within a second from which on it pays.
    static let requestsLeast = 16

    private var awakeUntil = Moment.distantPast
    private var secondEnd = Moment.distantPast
    private var requests = 0
    private var isWorthwhile = false

    /// - Parameter previous: when the same connection asked before; `nil` for its first request.
    mutating func asked(at now: Moment, previous: Moment?) {
        if let previous, now - previous >= Self.quiet {
            count(now)
        } else {
            awakeUntil = now + Self.awake
        }
    }

    private mutating func count(_ now: Moment) {
        if now >= secondEnd {
            isWorthwhile = requests >= Self.requestsLeast && now - secondEnd < .seconds(1)
            secondEnd = now + .seconds(1)
            requests = 0
        }
        requests += 1
    }

    /// Whether to rest, now that all has been answered which was there.
    func isDue(at now: Moment) -> Bool { isWorthwhile && now >= awakeUntil && now < secondEnd }
}

/// One event loop and its rests. On its loop only.
final class RestingLoop {
    private let loop: any EventLoop
    private let time: any TimeSource
    private let pauseThread: @Sendable (Duration) -> Void
    private var rest = LoopRest()
    private var isPlanned = false

    init(_ loop: any EventLoop, time: any TimeSource, pauseThread: @escaping @Sendable (Duration) -> Void) {
        self.loop = loop
        self.time = time
        self.pauseThread = pauseThread
    }

    /// A request has come whole.
    /// - Parameter previous: when one came before on the same connection; the time of this one from now on.
    func asked(_ previous: inout Moment?) {
        let now = time.now
        rest.asked(at: now, previous: previous)
        previous = now
        guard !isPlanned, rest.isDue(at: now) else { return }
        isPlanned = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        // Tasks are run when every socket that was ready has been read, and what it asked is answered.
        loop.execute { bound.value.pauseIfDue() }
    }

    private func pauseIfDue() {
        isPlanned = false
        if rest.isDue(at: time.now) { pauseThread(LoopRest.pause) }
    }
}

/// When something was asked on one connection, for the rests of its loop. On this loop only.
final class RequestActivity {
    private let loop: RestingLoop
    private var last: Moment?

    init(_ loop: RestingLoop) { self.loop = loop }

    /// A request has come.
    func asked() { loop.asked(&last) }
}

/// The loops of a server, each with its own rests.
final class RestingLoops: Sendable {
    private let loops = Mutex<[ObjectIdentifier: NIOLoopBound<RestingLoop>]>([:])
    private let time: any TimeSource
    private let pauseThread: @Sendable (Duration) -> Void

    init(time: any TimeSource, pauseThread: @escaping @Sendable (Duration) -> Void) {
        self.time = time
        self.pauseThread = pauseThread
    }

    /// On this loop only.
    func resting(_ loop: any EventLoop) -> RestingLoop {
        loops.withLock { loops in
            if let known = loops[ObjectIdentifier(loop)] { return known.value }
            let made = RestingLoop(loop, time: time, pauseThread: pauseThread)
            loops[ObjectIdentifier(loop)] = NIOLoopBound(made, eventLoop: loop)
            return made
        }
    }
}
