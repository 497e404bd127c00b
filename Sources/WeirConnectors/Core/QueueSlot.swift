import DequeModule
import NIOCore
import WeirGates
import WeirStore
import WeirWorld

/// One work queue as its gate sees it: what is in it, who waits to push, and who may. Decides; opens no file.
struct QueueSlot: Sendable {
    enum Outcome: Sendable, Hashable {
        /// In, with its bytes reserved.
        case admitted
        case stopped
    }

    struct Waiting: Sendable {
        var ticket: UInt64
        var bytes: Int64
        var since: Moment
        /// `nil` until the one who waits has suspended.
        var continuation: CheckedContinuation<Outcome, Never>?
    }

    var marks = QueueMarks()
    var gate: ConnectorGate
    /// Of pushes that are in and not yet durable.
    private(set) var reserved: Int64 = 0
    /// First come, first served.
    private(set) var waiting = Deque<Waiting>()
    private var decided: [UInt64: Outcome] = [:]
    /// Something of it, or of its connector's works, is not written down.
    var isDirty = false
    /// False when the queue cannot be opened: its level is unknown.
    var isReadable = true
    /// What waits outside Weir's own queue, in a RabbitMQ; `nil` where there is none.
    var outside: OutsideLevel?
    /// When something came in or went out last, as far as this process has seen it.
    var movedAt: WallTime?
    private(set) var heldNanoseconds: UInt64 = 0
    private(set) var transitions: [String: UInt64] = [:]
    private(set) var objects: UInt64 = 0
    /// Pushes that were let in at their deadline, over the limit.
    private(set) var overdue: UInt64 = 0

    init(gate: ConnectorGate) { self.gate = gate }

    // MARK: Coming in

    /// - Returns: true when the push is in; else it waits, under the ticket.
    mutating func admit(bytes: Int64, ticket: UInt64, now: Moment) -> Bool {
        if waiting.isEmpty, gate.push(reserved: reserved) == .pass {
            reserved += bytes
            return true
        }
        waiting.append(Waiting(ticket: ticket, bytes: bytes, since: now))
        return false
    }

    /// The one with the ticket suspends.
    /// - Returns: what was decided meanwhile.
    mutating func suspend(_ ticket: UInt64, _ continuation: CheckedContinuation<Outcome, Never>) -> Outcome? {
        if let outcome = decided.removeValue(forKey: ticket) { return outcome }
        guard let place = waiting.firstIndex(where: { $0.ticket == ticket }) else { return .stopped }
        waiting[place].continuation = continuation
        return nil
    }

    /// Lets in whoever may, in order.
    mutating func release(now: Moment) -> [CheckedContinuation<Outcome, Never>] {
        var released: [CheckedContinuation<Outcome, Never>] = []
        while !waiting.isEmpty, gate.push(reserved: reserved) == .pass {
            let first = waiting.removeFirst()
            reserved += first.bytes
            if let continuation = settle(first, .admitted, now) { released.append(continuation) }
        }
        return released
    }

    /// Ends a wait before its turn: at its deadline it is let in although the gate is closed.
    mutating func end(
        _ ticket: UInt64, _ outcome: Outcome, now: Moment
    ) -> CheckedContinuation<Outcome, Never>? {
        guard let place = waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        let one = waiting.remove(at: place)
        if outcome == .admitted {
            reserved += one.bytes
            overdue &+= 1
        }
        return settle(one, outcome, now)
    }

    /// The task of the one with the ticket was cancelled before it suspended.
    mutating func cancelled(_ ticket: UInt64) -> Outcome {
        if let outcome = decided.removeValue(forKey: ticket) { return outcome }
        waiting.removeAll { $0.ticket == ticket }
        return .stopped
    }

    private mutating func settle(
        _ one: Waiting, _ outcome: Outcome, _ now: Moment
    ) -> CheckedContinuation<Outcome, Never>? {
        heldNanoseconds &+= UInt64(clamping: (now - one.since).nanoseconds)
        if one.continuation == nil { decided[one.ticket] = outcome }
        return one.continuation
    }

    /// More of a push came than was reserved for it, or it is over (negative).
    mutating func reserve(_ bytes: Int64) { reserved = max(0, reserved + bytes) }

    // MARK: What the queue holds

    struct Movement: Equatable {
        var reserved: Int64
        var pushed: UInt64
        var settled: UInt64
    }

    /// Differs from what it was when something moved.
    var movement: Movement {
        Movement(reserved: reserved, pushed: marks.pushed.messages, settled: marks.settled.messages)
    }

    mutating func counted(objects: Int) { self.objects &+= UInt64(objects) }

    /// What waits, here and outside; `nil` when that cannot be known.
    var level: WorkQueueLevel? {
        guard isReadable else { return nil }
        switch outside {
        case nil: return marks.level
        case .unknown: return nil
        case .known(let outside):
            return WorkQueueLevel(
                messages: marks.level.messages + outside.messages, bytes: marks.level.bytes + outside.bytes)
        }
    }

    /// Why the level is not known, where it is not this node's own queue that cannot be read.
    var unmeasured: Reason? {
        guard isReadable, case .unknown(let reason) = outside else { return nil }
        return reason
    }

    /// A connector with a scheduler of its own compares with a threshold of its own, so its gate does too.
    /// - Returns: true when that is another one than before.
    mutating func follow(_ record: ConnectorRecord) -> Bool {
        guard record.registration.origin == "opencti", let report = record.report, report.isTold else { return false }
        let amount = ConnectorGate.Marks.bytes(megabytes: report.queueThreshold)
        guard amount != gate.marks.threshold.amount else { return false }
        gate.marks.threshold = Limit(amount, .bytes, origin: "CONNECTOR_QUEUE_THRESHOLD of its process")
        return true
    }

    /// Tells the gate what is in the queue now.
    mutating func measure(at wall: WallTime) -> Gate.Transition? {
        gate.holdsPublishes = outside == nil
        return note(gate.measured(level?.bytes, unmeasured: unmeasured, at: wall))
    }

    mutating func trouble(_ reason: Reason?, at wall: WallTime) -> Gate.Transition? {
        note(gate.failed(reason, at: wall))
    }

    mutating func order(_ order: GateRegistry.Order, at wall: WallTime) -> Gate.Transition? {
        switch order {
        case .hold(let person):
            marks.pausedBy = person
            return note(gate.paused(by: person, at: wall))
        case .release:
            marks.pausedBy = nil
            return note(gate.released(at: wall))
        }
    }

    private mutating func note(_ transition: Gate.Transition?) -> Gate.Transition? {
        if let transition { transitions["\(transition.to.rawValue)/\(transition.reason.code)", default: 0] &+= 1 }
        return transition
    }
}

/// What waits for a connector's receivers in a queue that is not Weir's.
enum OutsideLevel: Sendable, Hashable {
    case known(WorkQueueLevel)
    /// Counts as full.
    case unknown(Reason)
}
