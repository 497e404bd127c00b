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

    /// - Parameter isComplete: also lines that say nothing now, so that their number depends on the state only.
    package init(_ gate: GateView, isComplete: Bool = false) {
        headline =
            "\(gate.id) is \(gate.state) since \(Self.clock(gate.since)) UTC (\(Figures.duration(gate.sinceSeconds)))"
        let unit = gate.limit.unit
        var lines: [Line] = []
        let percent = gate.levelRatio.map { "\(Figures.rounded(min($0, 1e6) * 100, 0)) % of the limit" } ?? ""
        lines.append(
            Line(
                "measured", gate.level.map { Figures.amount($0, unit) } ?? "cannot be measured, so it counts as full",
                note: percent))
        // The chain's own lines for what stands in lines of its own here are left out.
        let shown: Set<String> = [
            "limit set by", "comes in", "goes out", "not lost", "on disk", unit == "bytes" ? "in memory" : "",
        ]
        lines += gate.details.filter { !shown.contains($0.name) }.map { Line($0.name, $0.value) }
        if let queue = gate.queue, queue.engaged || queue.bytes > 0 { lines.append(Self.onDisk(queue)) }
        lines.append(Line("limit", Self.limit(gate.limit), note: gate.limit.origin))
        lines.append(Line("rule", gate.reason.sentence, note: gate.reason.code))
        if !gate.reopens.isEmpty { lines.append(Line("reopens", gate.reopens)) }
        if let forecast = Self.forecast(gate.forecast) {
            lines.append(Line("forecast", forecast))
        } else if isComplete {
            lines.append(Line("forecast", "neither full nor drained in sight at the present rates"))
        }
        let rates = gate.rates
        lines.append(
            Line(
                "in, out",
                "\(Figures.rate(rates.inEventsPerSecond)) events/s in, "
                    + "\(Figures.rate(rates.outEventsPerSecond)) events/s out",
                note: gate.latency.map {
                    "delivered in \(Figures.duration($0.medianSeconds)) (median), "
                        + "\(Figures.duration($0.highSeconds)) (p95)"
                } ?? ""))
        let kept = gate.details.first { $0.name == "not lost" }
        if let kept { lines.append(Line(kept.name, kept.value)) }
        lines.append(Self.accounts(gate.counters, isOnly: kept == nil))
        self.lines = lines
    }

    /// The clock part of an RFC 3339 time.
    package static func clock(_ time: String) -> String {
        let parts = time.split(separator: "T")
        return parts.count == 2 ? String(parts[1].prefix(8)) : time
    }

    /// In decimal units, and in binary ones where it was set in those.
    private static func limit(_ limit: GateView.LimitView) -> String {
        let text = Figures.amount(limit.amount, limit.unit)
        guard limit.unit == "bytes", limit.amount >= 1 << 20, limit.amount % (1 << 20) == 0 else { return text }
        return "\(text) (\(Figures.count(limit.amount >> 20)) MiB)"
    }

    private static func onDisk(_ queue: QueueView) -> Line {
        let age = queue.oldestSeconds.map { ", the oldest \(Figures.duration($0)) old" } ?? ""
        return Line(
            "on disk",
            "\(Figures.pressure(queue.bytes, of: queue.maxBytes, LevelUnit.bytes.rawValue)), "
                + "\(Figures.count(queue.events)) events\(age)",
            note: queue.trouble.map { "\($0.code): \($0.sentence)" } ?? "queue mode \(queue.mode)")
    }

    private static func forecast(_ forecast: GateView.ForecastView) -> String? {
        // Further away than a week is no forecast.
        let isNear = { (seconds: Double) in seconds < 7 * 86_400 }
        let full = forecast.fullSeconds.filter(isNear).map { "full in about \(Figures.duration($0))" }
        let drained = forecast.drainedSeconds.filter(isNear).map { "drained in about \(Figures.duration($0))" }
        let parts = [full, drained].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ") + " at the present rates"
    }

    private static func accounts(_ counters: GateView.CountersView, isOnly: Bool) -> Line {
        let dropped = counters.droppedTotal
        let reasons = counters.droppedEvents.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { "\($0.key) \(Figures.count(Int64(clamping: $0.value)))" }.joined(separator: ", ")
        let count = { (value: UInt64) in Figures.count(Int64(clamping: value)) }
        let text =
            "\(count(counters.deliveredEvents)) delivered, \(Figures.count(counters.heldEvents)) held, "
            + "\(count(dropped)) dropped\(reasons.isEmpty ? "" : " (\(reasons))"), "
            + "\(count(counters.deadLetteredEvents)) dead letters"
        let total = counters.takenEvents &+ counters.recoveredEvents
        return Line(isOnly && dropped == 0 ? "not lost" : "accounts", text, note: "of \(count(total)) taken")
    }
}

extension Optional {
    fileprivate func filter(_ isWanted: (Wrapped) -> Bool) -> Wrapped? { flatMap { isWanted($0) ? $0 : nil } }
}
