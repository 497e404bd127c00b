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
}
