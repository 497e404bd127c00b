/// A sync in words and tables: what `weir sync` and `weir describe sync` print.
package struct SyncText: Sendable {
    package var sync: IdentityAPI.Sync
    /// As many triggers as are shown.
    package var rows: [IdentityAPI.Trigger]
    /// For the limits as they were written.
    package var rules: [IdentityAPI.Rule]

    package init(sync: IdentityAPI.Sync, rows: [IdentityAPI.Trigger], rules: [IdentityAPI.Rule]) {
        self.sync = sync
        self.rows = rows
        self.rules = rules
    }

    private var isPreview: Bool { sync.mode == "preview" }

    // MARK: Rows

    /// Row by row, before → after.
    package var table: TextTable {
        var table = TextTable(["who", "rule", isPreview ? "would" : "verdict", "why", "change"])
        for row in rows {
            let (word, ink) = verdict(row)
            table.add([
                TextTable.Cell((row.vip ? "VIP " : "") + row.label, row.vip ? .person : .bold),
                TextTable.Cell(row.rule), TextTable.Cell(word, ink),
                // Of what passes there is nothing to explain.
                TextTable.Cell(["preview", "passed"].contains(row.reason) ? "" : row.reason),
                TextTable.Cell(row.outcome == "failed" ? row.text : Listing.change(row.change)),
            ])
        }
        return table
    }

    private func verdict(_ row: IdentityAPI.Trigger) -> (String, Ink) {
        switch row.outcome {
        case "executed": (isPreview ? "run" : "done", .good)
        case "skipped" where row.reason == "preview": ("run", .good)
        case "suspended": (isPreview ? "wait" : "waits", .person)
        case "throttled", "postponed": (isPreview ? "come later" : "later", .warning)
        case "skipped": (isPreview ? "be left out" : "left out", .dim)
        case "failed": (isPreview ? "fail" : "failed", .bad)
        default: (row.outcome, .plain)
        }
    }

    /// Where not all rows are shown.
    package var more: String? {
        let all = sync.triggered
        return rows.count < all && !rows.isEmpty && Set(rows.map(\.rule)).count > 1
            ? "… \(all - rows.count) more: `--limit \(all)` shows all." : nil
    }

    // MARK: Rules

    /// What each rule triggered, and what came of it.
    package var counts: TextTable {
        var table = TextTable(
            [
                "rule", "changes", "passes", isPreview ? "would run" : "done", isPreview ? "would wait" : "waits",
                "other",
            ])
        for count in sync.rules where count.triggered > 0 {
            let (run, waits) = (ran(count), count.outcomes["suspended", default: 0])
            let other = ["throttled", "postponed", "skipped", "failed"].compactMap { outcome -> String? in
                var number = count.outcomes[outcome, default: 0]
                if isPreview, outcome == "skipped" { number -= run }
                return number > 0 ? "\(number) \(outcome)" : nil
            }
            table.add([
                TextTable.Cell(count.rule, .bold), TextTable.Cell("\(count.triggered)"),
                TextTable.Cell(count.limit.map { "up to \($0)" } ?? "any number"), TextTable.Cell("\(run)"),
                TextTable.Cell("\(waits)", waits > 0 ? .person : .plain), TextTable.Cell(other.joined(separator: ", ")),
            ])
        }
        return table
    }

    /// In a preview what would run is told as skipped, because nothing ran; simulated rules are too, and stay so.
    private func ran(_ count: IdentityAPI.RuleCount) -> Int {
        guard isPreview else { return count.outcomes["executed", default: 0] }
        if rules.first(where: { $0.name == count.rule })?.simulated == true { return 0 }
        let leftOut = rows.count { $0.rule == count.rule && $0.outcome == "skipped" && $0.reason != "preview" }
        return max(0, count.outcomes["skipped", default: 0] - leftOut)
    }

    /// Why something waits: one sentence for each rule, with what was measured and the limit.
    package var holds: [String] {
        sync.rules.filter { $0.outcomes["suspended", default: 0] > 0 }.map { Printable.line(hold($0)) }
    }

    private func hold(_ count: IdentityAPI.RuleCount) -> String {
        let waits = count.outcomes["suspended", default: 0]
        let shown = rows.filter { $0.rule == count.rule && $0.outcome == "suspended" }
        let reasons = Set(shown.map(\.reason))
        let vips = shown.count(where: \.vip)
        let would = isPreview ? "would wait" : waits == 1 ? "waits" : "wait"
        // Rows of other rules are not there where one rule's were asked for.
        guard !shown.isEmpty else { return "\(count.rule): \(waits) \(would) for a person." }
        guard count.held else {
            if reasons == ["vip"] {
                return "\(count.rule): \(waits) \(would) because VIPs are always asked about; the others pass."
            }
            return "\(count.rule): \(waits) \(would), held by an earlier run until somebody decides or they expire."
        }
        if reasons.contains("error-rate") {
            return "\(count.rule): all \(waits) \(would), because its expressions fail for too many identities."
        }
        let rule = rules.first { $0.name == count.rule }
        var text = "\(count.rule): all \(waits) \(would). "
        text += count.limit == 0 ? "None passes unasked" : "Up to \(count.limit ?? 0) in a sync pass unasked"
        text += " (\(rule?.threshold ?? "the limit") of \(count.base) in \(rule?.target ?? "the target"))"
        if rule?.clamped == true { text += ", the most that a large silo may have" }
        text += ", and this one has \(waits)"
        if count.lookback > 0 { text += " and \(count.lookback) that ran unasked a short time ago" }
        return text + (vips > 0 ? "; \(vips) of them on a VIP." : ".")
    }

    // MARK: Around them

    package var problems: [String] {
        let most = 20
        var lines = sync.problems.prefix(most).flatMap { problem in
            let place = problem.rule.map { " in \($0)" } ?? ""
            // An expression's mistake comes with the line and a mark below it.
            return "\(problem.code)\(place): \(problem.text)".split(separator: "\n").map { Printable.line(String($0)) }
        }
        if sync.problems.count > most {
            lines.append("… \(sync.problems.count - most) more: `weir describe sync \(sync.id) -o json` has all.")
        }
        return lines
    }

    package var summary: String {
        if sync.triggered == 0 {
            return sync.problems.isEmpty
                ? "Nothing to do: all \(sync.identities) identities are as the rules say."
                : "Nothing was found to do for \(sync.identities) identities, but see the problems above."
        }
        let ran = sync.rules.reduce(0) { $0 + self.ran($1) }
        let (held, failed) = (sync.count("suspended"), sync.count("failed"))
        let rest = sync.triggered - ran - held - failed
        let tail = (rest > 0 ? ", \(rest) later or left out" : "") + (failed > 0 ? ", \(failed) failed" : "") + "."
        let changes = "\(sync.triggered) change\(sync.triggered == 1 ? "" : "s")"
        return isPreview
            ? "Preview: \(changes): \(ran) would run, \(held) would wait for a person\(tail) Nothing was written."
            : "Run \(sync.id): \(changes): \(ran) done, \(held) wait for a person\(tail)"
    }

    /// What to do now.
    /// - Parameter again: what commands without a server have behind them.
    package func next(again: String) -> [String] {
        if sync.triggered == 0 { return [] }
        if isPreview { return ["Next: `weir sync run\(again)` carries out what would run, and asks about the rest."] }
        guard sync.count("suspended") > 0 else { return [] }
        return [
            "Next: `weir get reviews\(again)`, then `weir approve RULE\(again)` or `weir reject RULE --mute\(again)`;",
            "      what is approved runs in the next `weir sync run\(again)`.",
        ]
    }
}

extension SyncText {
    package static func progress(_ progress: IdentityAPI.Progress) -> String {
        let width = 24
        let filled = progress.all > 0 ? min(width, width * progress.done / progress.all) : 0
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
        let counts = progress.all > 0 ? " \(progress.done) of \(progress.all)" : ""
        return "[\(bar)] \(progress.phase) \(Printable.line(progress.at))\(counts)"
    }

    /// The lines of `weir sync status`.
    package static func status(
        running: IdentityAPI.Progress?, last: IdentityAPI.Sync?, reviews: [IdentityAPI.Review], again: String
    ) -> [String] {
        var lines: [String] = []
        if let running {
            let counts = running.all > 0 ? ", \(running.done) of \(running.all)" : ""
            lines.append("Running: \(running.sync), \(running.phase) \(Printable.line(running.at))\(counts)")
        } else {
            lines.append("No sync runs now.")
        }
        if let last {
            let end = last.ended.map { "ended \($0)" } ?? "began \(last.began)"
            lines.append(
                "Last: \(last.kind) \(last.mode) \(last.id), \(end): "
                    + SyncText(sync: last, rows: [], rules: []).tally)
            if let failure = last.failure { lines.append("      it did not end well: \(Printable.line(failure))") }
        } else {
            lines.append("No sync yet: `weir sync preview\(again)` shows what one would do.")
        }
        let waits = reviews.reduce(0) { $0 + $1.suspended }
        guard waits > 0 else { return lines + ["Nothing waits for a person."] }
        let rules = Set(reviews.map(\.rule)).sorted().joined(separator: ", ")
        let first = reviews.map(\.expires).min() ?? ""
        return lines + [
            Printable.line(
                "\(waits) action\(waits == 1 ? " waits" : "s wait") for a person (\(rules)); the first expires "
                    + "\(first). `weir get reviews\(again)` shows them.")
        ]
    }

    private var tally: String {
        sync.triggered == 0
            ? "nothing to do"
            : "\(sync.triggered) changes, "
                + (isPreview ? "" : "\(sync.count("executed")) done, ") + "\(sync.count("suspended")) "
                + (isPreview ? "would wait" : "wait")
    }

    /// What to do about scans that are not complete.
    package static func scans(_ scans: [IdentityAPI.Scan], again: String) -> [String] {
        scans.flatMap { scan -> [String] in
            let text = Printable.line("\(scan.objects): \(scan.text)")
            let rows = scan.refused.prefix(10).map { Printable.line("  \($0.place): \($0.reason)") }
            switch scan.status {
            case "quarantined":
                return [text] + rows + [
                    "  Parked: nothing of it is believed. When it is right: "
                        + "`weir sync accept \(scan.id) --reason TEXT\(again)`."
                ]
            case "failed", "partial": return [text] + rows
            default: return []
            }
        }
    }
}
