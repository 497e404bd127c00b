import WeirGates

/// Why a gate is as it is, in lines: the one explanation that `weir why`, `weir describe` and the gate's page show.
package struct WhyText: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        package var label: String
        package var value: String
        /// Where the value comes from; may be empty.
        package var note: String

        init(_ label: String, _ value: String, note: String = "") {
            self.label = label
            self.value = value
            self.note = note
        }
    }

    /// `siem is queueing since 14:32:08 UTC (2 min 11 s)`
    package var headline: String
    package var lines: [Line]

    init(headline: String, lines: [Line]) {
        self.headline = headline
        self.lines = lines
    }

    /// - Parameter isComplete: also lines that say nothing now, so that their number depends on the state only.
    package init(_ gate: GateView, isComplete: Bool = false) {
        headline =
            "\(gate.id) is \(gate.state) since \(Self.clock(gate.since)) UTC (\(Figures.duration(gate.sinceSeconds)))"
        // The level of an engaged queue is the gate's level; what is in memory is a detail then.
        let spilled = gate.queue.flatMap { $0.engaged ? $0 : nil }
        var lines = [Self.measured(gate, isOnDisk: spilled != nil)]
        if let spilled { lines.append(Self.queue(spilled)) }
        // The chain's own lines for what stands in lines of its own here are left out.
        var shown: Set<String> = ["comes in", "goes out"]
        if spilled == nil && gate.limit.unit == LevelUnit.bytes.rawValue { shown.insert("in memory") }
        lines += gate.details.filter { !shown.contains($0.name) }.map { Line($0.name, $0.value) }
        lines.append(Line("limit", Self.limit(gate.limit), note: gate.limit.origin))
        lines.append(Line("rule", gate.reason.sentence, note: gate.reason.code))
        if !gate.reopens.isEmpty { lines.append(Line("reopens", gate.reopens)) }
        if let forecast = Self.forecast(gate) {
            lines.append(Line("forecast", forecast))
        } else if isComplete {
            lines.append(Line("forecast", "neither full nor drained in sight at the present rates"))
        }
        let rates = gate.rates
        let unit = gate.kind == GateKind.connector.rawValue ? "bundles" : "events"
        lines.append(
            Line(
                "in, out",
                "\(Figures.rate(rates.inEventsPerSecond)) \(unit)/s in, "
                    + "\(Figures.rate(rates.outEventsPerSecond)) \(unit)/s out",
                note: gate.latency.map {
                    "delivered in \(Figures.duration($0.medianSeconds)) (median), "
                        + "\(Figures.duration($0.highSeconds)) (p95)"
                } ?? ""))
        lines.append(Self.notLost(gate))
        lines.append(Self.accounts(gate.counters))
        self.lines = lines
    }

    private static func measured(_ gate: GateView, isOnDisk: Bool) -> Line {
        guard let level = gate.level else { return Line("measured", "cannot be measured, so it counts as full") }
        let unit = gate.limit.unit
        // A connector's gate counts what is in its work queue, which is always on disk.
        let isOnDisk = isOnDisk || gate.kind == GateKind.connector.rawValue
        let place = isOnDisk ? " on disk" : unit == LevelUnit.bytes.rawValue ? " in memory" : ""
        var note = gate.levelRatio.map { "\(Figures.rounded(min($0, 1e6) * 100, 0)) % of the limit" } ?? ""
        // What came last was let in while there was room.
        if level > gate.limit.amount, !isOnDisk { note += ", one batch more than it" }
        return Line("measured", Figures.amount(level, unit) + place, note: note)
    }

    /// The clock part of an RFC 3339 time.
    package static func clock(_ time: String) -> String {
        let parts = time.split(separator: "T")
        return parts.count == 2 ? String(parts[1].prefix(8)) : time
    }

    /// In decimal units, and in binary ones where it was set in those.
    private static func limit(_ limit: GateView.LimitView) -> String {
        let text = Figures.amount(limit.amount, limit.unit)
        guard limit.unit == LevelUnit.bytes.rawValue else { return text }
        if limit.amount >= 1 << 20, limit.amount % (1 << 20) == 0 {
            return "\(text) (\(Figures.count(limit.amount >> 20)) MiB)"
        }
        guard limit.amount >= 1 << 10, limit.amount % (1 << 10) == 0 else { return text }
        return "\(text) (\(Figures.count(limit.amount >> 10)) KiB)"
    }

    private static func queue(_ queue: QueueView) -> Line {
        let age = queue.oldestSeconds.map { ", the oldest \(Figures.duration($0)) old" } ?? ""
        return Line(
            "queue", "\(Figures.events(queue.events))\(age)",
            note: queue.trouble.map { "\($0.code): \($0.sentence)" } ?? "mode \(queue.mode)")
    }

    private static func notLost(_ gate: GateView) -> Line {
        let held = gate.counters.heldEvents
        if gate.kind == GateKind.connector.rawValue, held > 0 {
            return Line("not lost", "\(Figures.count(held)) bundle\(held == 1 ? " waits" : "s wait") on disk")
        }
        let onDisk = min(gate.queue?.events ?? 0, held)
        let text =
            held == 0
            ? "nothing is held"
            : onDisk == 0
                ? "\(Figures.events(held)) \(held == 1 ? "is" : "are") held in memory"
                : "\(Figures.events(held)) \(held == 1 ? "is" : "are") held: \(Figures.count(onDisk)) on disk, "
                    + "\(Figures.count(held - onDisk)) in memory"
        return Line("not lost", text)
    }

    private static func forecast(_ gate: GateView) -> String? {
        // Rates of some seconds say nothing of what is further away than a day, and what is full already needs none.
        let isNear = { (seconds: Double) in seconds < 86_400 }
        let isFull = (gate.levelRatio ?? 1) >= 1
        let full = gate.forecast.fullSeconds.filter { isNear($0) && !isFull }
            .map { "full in about \(Figures.duration($0))" }
        let drained = gate.forecast.drainedSeconds.filter(isNear).map { "drained in about \(Figures.duration($0))" }
        let parts = [full, drained].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ") + " at the present rates"
    }

    private static func accounts(_ counters: GateView.CountersView) -> Line {
        let dropped = counters.droppedTotal
        let reasons = counters.droppedEvents.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { "\($0.key) \(Figures.count(Int64(clamping: $0.value)))" }.joined(separator: ", ")
        let count = { (value: UInt64) in Figures.count(Int64(clamping: value)) }
        let text =
            "\(count(counters.deliveredEvents)) delivered, \(Figures.count(counters.heldEvents)) held, "
            + "\(count(dropped)) dropped\(reasons.isEmpty ? "" : " (\(reasons))"), "
            + "\(count(counters.deadLetteredEvents)) dead letters"
        let total = counters.takenEvents &+ counters.recoveredEvents
        return Line("accounts", text, note: "of \(count(total)) taken")
    }
}

extension Optional {
    fileprivate func filter(_ isWanted: (Wrapped) -> Bool) -> Wrapped? { flatMap { isWanted($0) ? $0 : nil } }
}
