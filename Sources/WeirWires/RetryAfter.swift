package import WeirWorld

/// The `Retry-After` header (RFC 9110 section 10.2.3): seconds, or a date.
package enum RetryAfter {
    /// Longest pause that a receiver can ask for. Source: research/destinations.md 1.1 (Cribl caps at 180 s).
    package static let most = Duration.seconds(180)

    /// - Parameter most: what a longer pause is cut to.
    /// - Returns: `nil` without a value that can be read; a date in the past is no pause.
    package static func parse(_ value: String, now: WallTime, most: Duration = most) -> Duration? {
        let text = value.drop(while: { $0 == " " })
        guard let first = text.utf8.first else { return nil }
        if first >= 0x30, first <= 0x39, text.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x20 }) {
            // Digits that do not fit are "very long".
            guard let seconds = Int(text.prefix(while: { $0 != " " })) else { return most }
            return min(.seconds(min(seconds, 31_536_000)), most)
        }
        guard let date = HTTPDate.parse(text) else { return nil }
        return min(max(date - now, .zero), most)
    }

    /// The header for an answer of ours: whole seconds, rounded up, at least 1.
    package static func text(_ duration: Duration) -> String {
        let seconds = (max(duration, .zero).nanoseconds &+ 999_999_999) / 1_000_000_000
        return String(max(seconds, 1))
    }
}
