internal import NIOCore
internal import WeirFlow
internal import WeirWorld

/// What a door makes of one body, piece by piece: finds the events in it, and says at the end how it went. A value of
/// its request; lives on the connection's event loop.
protocol HTTPReading {
    /// Takes what is whole off the front of `plain` and leaves the rest for the next call. What it leaves is bounded,
    /// however long an event is.
    /// - Parameter isLast: nothing follows.
    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch]

    /// How many things the answer speaks of were read so far: events or actions.
    var items: Int { get }
    /// Bytes that it keeps for the answer.
    var heldBytes: Int { get }
    /// The body is wrong: nothing more of it is read.
    var isBroken: Bool { get }
    /// The rest of the body is read also when the routes refused a part of it: the answer speaks of each item.
    var needsRest: Bool { get }
    /// False where success is answered as soon as the events are handed on.
    var waitsUntilSafe: Bool { get }

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer
}

extension HTTPReading {
    var heldBytes: Int { 0 }
    var needsRest: Bool { false }
    var waitsUntilSafe: Bool { true }
}

/// What became of the events of a body.
struct HTTPOutcome {
    /// What was handed on in one go.
    struct Step {
        /// `HTTPReading.items` after it.
        var itemsEnd: Int
        var events: Int
        var receipt: Receipt
        var isSafe: Bool { receipt.settlement == .kept }
    }

    private(set) var steps: [Step] = []
    /// Why not all of the body was taken, or not all is safe.
    var refusal: HTTPRefusal?
    /// All of the body was read and understood.
    var isComplete = false
    var took = Duration.zero

    /// Keeps one entry for a run of steps that are safe already, so that a long body needs no long list.
    mutating func add(_ step: Step) {
        if let last = steps.last, last.isSafe, step.isSafe {
            steps[steps.count - 1] = Step(
                itemsEnd: step.itemsEnd, events: last.events + step.events, receipt: .kept)
        } else {
            steps.append(step)
        }
    }

    var events: Int { steps.reduce(0) { $0 + $1.events } }
    /// Events of the body that are delivered or in a queue on disk.
    var eventsSafe: Int { steps.reduce(0) { $0 + ($1.isSafe ? $1.events : 0) } }
    var receipt: Receipt { Receipt.joined(steps.map(\.receipt)) }
}

/// For requests that bring no events: reads their body over and gives an answer that is known before.
struct HTTPFixedReading: HTTPReading {
    let said: HTTPAnswer
    let items = 0
    let isBroken = false

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch] {
        plain.clear()
        return []
    }

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer { said }
}

/// For short bodies that are understood only as a whole.
struct HTTPWholeReading: HTTPReading {
    let most: Int
    /// `nil`: the body was longer than `most`.
    let reply: (ByteBuffer?) -> HTTPAnswer
    let items = 0
    private(set) var isBroken = false
    private var whole = ByteBuffer()

    init(most: Int, reply: @escaping (ByteBuffer?) -> HTTPAnswer) {
        self.most = most
        self.reply = reply
    }

    var heldBytes: Int { whole.readableBytes }

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool) -> [Batch] {
        whole.writeBuffer(&plain)
        if whole.readableBytes > most { isBroken = true }
        return []
    }

    func answer(_ outcome: HTTPOutcome) -> HTTPAnswer { reply(isBroken ? nil : whole) }
}

/// Lines of text or NDJSON.
struct HTTPLines {
    private var cutter: LineCutter

    init(_ format: LineFormat, eventMost: Int, meter: SourceMeter) {
        cutter = LineCutter(format: format, limit: eventMost, meter: meter)
    }

    mutating func cut(_ plain: inout ByteBuffer, isLast: Bool, context: () -> BatchContext) -> [Batch] {
        cutter.skip(&plain)
        var complete = cutter.completeBytes(in: plain, known: 0)
        let rest = plain.readableBytes - complete
        if isLast {
            cutter.finish(&plain, after: complete)
            complete = plain.readableBytes
        } else if rest > cutter.limit {
            cutter.shorten(&plain, after: complete, to: cutter.limit)
            complete = plain.readableBytes
        }
        guard complete > 0, let whole = plain.readSlice(length: complete) else { return [] }
        // The slab goes on as it is; only the beginning of the next event is copied.
        plain = plain.copied()
        return cutter.batches(of: whole, context: context())
    }
}
