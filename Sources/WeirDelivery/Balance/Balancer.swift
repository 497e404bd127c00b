package import WeirWorld

/// Weighted least-load over a window: the next load goes to the member with the lowest sent/weight.
///
/// The rules are Cribl's (research/destinations.md, section 3): weight 0 is never used; a blocked member's weight
/// counts 10 % less; at the end of each window half of every counter is carried over, so that an old imbalance fades
/// instead of being repaid at once or never.
///
/// | members | sent | carried | next window |
/// | --- | --- | --- | --- |
/// | A, B, equal weights | 120, 80 | 60, 40 | of 200: 90 to A, 110 to B |
/// | A, B, C with weights 1, 2, 7 | 30, 50, 120 | 15, 25, 60 | of 200: 15, 35, 150 |
package struct Balancer: Sendable {
    package struct Member: Sendable, Hashable {
        /// Stable for the member's life; counters are kept by it.
        package var id: Int
        package var weight: Int
        /// What was sent to it in this window, with what was carried over.
        package fileprivate(set) var sent: Double = 0

        package init(id: Int, weight: Int) {
            self.id = id
            self.weight = weight
        }
    }

    /// What the chooser knows of a member right now.
    package enum Readiness: Sendable, Hashable {
        case ready
        /// Takes more, but has shown that it cannot keep up: its weight counts 10 % less.
        case blocked
        case away
    }

    /// Length of the window. Default 300 s (`loadBalanceStatsPeriodSec`).
    package let window: Duration
    package private(set) var members: [Member] = []
    private var windowEnd: Moment?

    package init(window: Duration = .seconds(300)) { self.window = window }

    /// Sets the members. Those that were there keep their counters; a new one starts at the lowest load of the others,
    /// so that it is not flooded.
    package mutating func set(_ new: [(id: Int, weight: Int)]) {
        let lowest = members.filter { $0.weight > 0 }.map { $0.sent / Double($0.weight) }.min() ?? 0
        members = new.map { member in
            if var known = members.first(where: { $0.id == member.id }) {
                known.weight = member.weight
                return known
            }
            var fresh = Member(id: member.id, weight: member.weight)
            fresh.sent = lowest * Double(max(0, member.weight))
            return fresh
        }
    }

    /// The member that the next load should go to, or `nil` when none is ready. The first of equals, in the order they
    /// were set.
    package mutating func choose(at now: Moment, _ readiness: (_ id: Int) -> Readiness) -> Int? {
        turn(at: now)
        if members.count == 1 {
            return members[0].weight > 0 && readiness(members[0].id) != .away ? members[0].id : nil
        }
        var best: (id: Int, load: Double)?
        for member in members where member.weight > 0 {
            let ready = readiness(member.id)
            if ready == .away { continue }
            let load = member.sent / (Double(member.weight) * (ready == .blocked ? 0.9 : 1))
            if let best, best.load <= load { continue }
            best = (member.id, load)
        }
        return best?.id
    }

    /// Counts a load (bytes or events, always the same) for a member.
    package mutating func sent(_ amount: Int, to id: Int) {
        guard let place = members.firstIndex(where: { $0.id == id }) else { return }
        members[place].sent += Double(amount)
    }

    /// Ends the window if it is over: half of each counter is carried over, once for each window that has passed.
    package mutating func turn(at now: Moment) {
        guard let end = windowEnd else {
            windowEnd = now + window
            return
        }
        guard now >= end else { return }
        let windows = 1 + Int(clamping: (now - end).nanoseconds / max(1, window.nanoseconds))
        let share = windows >= 60 ? 0 : 1 / Double(UInt64(1) << UInt64(windows))
        for place in members.indices { members[place].sent *= share }
        windowEnd = now + window
    }
}
