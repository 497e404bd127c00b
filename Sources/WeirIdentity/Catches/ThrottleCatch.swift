package import WeirGates
package import WeirWorld

/// The least time between two attempts of one rule for one identity.
///
/// The clock starts when an attempt is sent off, whatever comes of it: spacing retries is one of its purposes. Allowed
/// again when `now - last >= period`.
package enum ThrottleCatch {
    package enum Verdict: Sendable, Hashable {
        case passes
        /// `last` is what the last attempt's time shall be kept as from now on.
        case waits(until: WallTime, last: WallTime)
    }

    /// - Parameter last: nil where the rule never ran for the identity.
    package static func verdict(last: WallTime?, period: Duration, now: WallTime) -> Verdict {
        guard let last, period > .zero else { return .passes }
        // A clock that was put back must not hold an identity for longer than one period from now on. The attempt is
        // moved to now, once; else every look would begin the period anew.
        let known = min(last, now)
        return now - known >= period ? .passes : .waits(until: known + period, last: known)
    }

    /// Of two identities that became one: the later attempt counts.
    package static func merged(_ first: WallTime?, _ second: WallTime?) -> WallTime? {
        guard let first, let second else { return first ?? second }
        return max(first, second)
    }
}

extension Rule.Throttle {
    /// What an operator writes: `30m`, `PT30M`, `1.00:00:00` (days, hours, minutes, seconds), `env.NAME`, or an
    /// expression after `=`.
    /// - Throws: what was wrong and what to write instead.
    package init(text: String) throws(UnitTextProblem) {
        let trimmed = String(text.drop { $0 == " " })
        if trimmed.hasPrefix("=") {
            self = .expression(String(trimmed.dropFirst().drop { $0 == " " }))
            return
        }
        if trimmed.hasPrefix("env.") {
            let name = String(trimmed.dropFirst(4))
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else {
                throw UnitTextProblem("`\(trimmed)` names no variable", help: "write `env.SETTLE`, with `env:` above")
            }
            self = .variable(name)
            return
        }
        let period = try Duration(timeSpan: trimmed)
        self = period == .zero ? .none : .period(period)
    }
}

extension Duration {
    /// As `Duration(text:)`, and the form `d.hh:mm:ss` or `hh:mm:ss` of .NET, which users of identity tools know.
    /// - Throws: what was wrong and what to write instead.
    package init(timeSpan text: String) throws(UnitTextProblem) {
        guard text.contains(":") else {
            self = try Duration(text: text)
            return
        }
        let help = "write `1.00:00:00` for a day, `00:30:00` or `30m` for half an hour"
        if text.hasPrefix("-") { throw UnitTextProblem("a duration cannot be negative", help: help) }
        let wrong = UnitTextProblem("`\(text.prefix(60))` is not a time span", help: help)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw wrong }
        let head = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard head.count <= 2, let hourText = head.last else { throw wrong }
        func number(_ text: Substring, below bound: Int64) throws(UnitTextProblem) -> Int64 {
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let value = Int64(text), value < bound
            else { throw wrong }
            return value
        }
        let days = head.count == 2 ? try number(head[0], below: 100_000) : 0
        let seconds =
            try number(hourText, below: 24) * 3_600 + number(parts[1], below: 60) * 60 + number(parts[2], below: 60)
        self = .seconds(days * 86_400 + seconds)
    }
}
