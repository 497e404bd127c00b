/// In what a level and its limit are counted.
package enum LevelUnit: String, Sendable, Hashable {
    case bytes, events, requests, frames, files, actions
}

/// How much may be held, in what, and which line of the configuration said so.
package struct Limit: Sendable, Hashable {
    package var amount: Int64
    package var unit: LevelUnit
    /// Where the limit was set: `weir.yaml:14`, `WEIR__DESTINATIONS__SIEM__BUFFER`, or `default`.
    package var origin: String

    package init(_ amount: Int64, _ unit: LevelUnit, origin: String = "default") {
        precondition(amount > 0, "a limit of \(amount) \(unit) lets nothing pass")
        self.amount = amount
        self.unit = unit
        self.origin = origin
    }

    /// A level beside this limit, for sentences: `237kB of 262kB`, `5 of 5 requests`.
    package func text(_ level: Int64) -> String {
        guard unit == .bytes else { return "\(level) of \(amount) \(unit.rawValue)" }
        return "\(ByteCount(level).shortText) of \(ByteCount(amount).shortText)"
    }
}
