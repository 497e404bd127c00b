import NIOCore

/// A deadline that moves much oftener than it passes. Its timer stays where it was set, looks when it fires whether
/// the deadline has moved on, and is set anew then: moving costs nothing. Timers are set for full seconds, so that
/// those of many connections fire together.
struct LazyDeadline {
    enum Look: Equatable {
        /// The deadline has passed.
        case passed
        /// Set the timer again.
        case again(NIODeadline)
        /// There is no deadline.
        case none
    }

    private var deadline: NIODeadline?
    private var timer: NIODeadline?

    /// - Returns: for when the timer is to be set, in place of the one that is set; `nil` where that one will do.
    mutating func move(to deadline: NIODeadline) -> NIODeadline? {
        self.deadline = deadline
        let wanted = Self.nextSecond(deadline)
        if let timer, timer <= wanted { return nil }
        timer = wanted
        return wanted
    }

    /// Nothing is waited for.
    mutating func clear() { deadline = nil }

    /// The timer has fired.
    mutating func look(at now: NIODeadline) -> Look {
        timer = nil
        guard let deadline else { return .none }
        return deadline <= now ? .passed : move(to: deadline).map { .again($0) } ?? .none
    }

    private static func nextSecond(_ time: NIODeadline) -> NIODeadline {
        let second: UInt64 = 1_000_000_000
        let part = time.uptimeNanoseconds % second
        return part == 0 ? time : time + .nanoseconds(Int64(second - part))
    }
}
