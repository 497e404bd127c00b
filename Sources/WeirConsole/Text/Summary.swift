/// The one line above a list of gates.
package enum Summary {
    /// `weir 0.1.0, ready, up 2 min 11 s; 2 of 4 gates open; 1,284 events/s in, 903 out; held 22,207; dropped 0`
    package static func line(_ gates: [GateView], _ health: HealthView) -> String {
        let open = gates.filter { $0.state == "open" || $0.state == "filling" }.count
        // A gate that only leads to other gates would count every event again.
        let between = Set(gates.flatMap(\.senders))
        let ends = gates.filter { !between.contains($0.id) }
        let entering = ends.reduce(0) { $0 + $1.rates.inEventsPerSecond }
        let leaving = ends.reduce(0) { $0 + $1.rates.outEventsPerSecond }
        let held = gates.reduce(Int64(0)) { $0 &+ $1.counters.heldEvents }
        let dropped = gates.reduce(UInt64(0)) { $0 &+ $1.counters.droppedTotal }
        let ready = health.ready ? "ready" : "not ready"
        return
            "weir \(Printable.line(health.version)), \(ready), up \(Figures.duration(health.uptimeSeconds.rounded())); "
            + "\(open) of \(gates.count) gates open; \(Figures.rate(entering)) events/s in, "
            + "\(Figures.rate(leaving)) out; "
            + "held \(Figures.count(held)); dropped \(Figures.count(Int64(clamping: dropped)))"
    }
}
