/// What `weir describe connector` shows: how it is, what it must still deliver, and what was done to it.
package struct ConnectorDescription: Sendable {
    private let view: ConnectorView

    package init(_ view: ConnectorView) { self.view = view }

    /// - Parameter width: of the terminal, in columns; `nil` cuts nothing.
    package func lines(width: Int?, hasColours: Bool) -> [String] {
        var lines = Listing.why(facts, hasColours: hasColours)
        let works = worksTable
        lines += ["", works.isEmpty ? "No works yet: each run will be listed here." : "Works, the newest first:"]
        if !works.isEmpty { lines += works.lines(width: width, hasColours: hasColours) }
        let audit = auditTable
        if !audit.isEmpty { lines += ["", "Who did what:"] + audit.lines(width: width, hasColours: hasColours) }
        return lines
    }

    private var facts: WhyText {
        var lines = [
            WhyText.Line("id", view.id),
            WhyText.Line("comes by", view.origin == "opencti" ? "a process of its own (OpenCTI)" : view.origin),
            WhyText.Line("last run", view.shown.lastRun), WhyText.Line("next run", view.shown.nextRun),
            WhyText.Line(
                "server capacity", view.shown.serverCapacity,
                note: view.full ? "at its threshold or over it: runs are put off" : ""),
            WhyText.Line("buffering", view.buffering ? "yes" : "no"),
            WhyText.Line("pushes wait at", ConnectorText.megabytes(view.hardLimitBytes)),
        ]
        if view.origin == "opencti" { lines.append(WhyText.Line("heartbeat", view.shown.heartbeat)) }
        if let detail = view.activityDetail { lines.append(WhyText.Line("detail", detail)) }
        if let reason = view.gateReason {
            lines.append(WhyText.Line("gate", reason.sentence, note: "weir why connector/\(view.id)"))
        }
        for trouble in view.troubles {
            lines.append(WhyText.Line("trouble", trouble.sentence, note: trouble.runbook ?? trouble.code))
            if let since = trouble.since { lines.append(WhyText.Line("since", since)) }
            if !trouble.advice.isEmpty { lines.append(WhyText.Line("what helps", trouble.advice)) }
        }
        if view.deadLetters > 0 {
            lines.append(
                WhyText.Line(
                    "dead letters", "\(view.deadLetters)", note: "weir connector dead-letters ls \(view.id)"))
        }
        if view.failures > 0 { lines.append(WhyText.Line("failed runs", "\(view.failures) in a row")) }
        lines.append(WhyText.Line("state", ConnectorText.state(view.state)))
        return WhyText(headline: "\(view.name) is \(view.shown.state)", lines: lines)
    }

    private var worksTable: TextTable {
        var table = TextTable(["work", "from", "status", "delivered", "messages and errors"])
        for work in view.works ?? [] {
            table.add([
                TextTable.Cell(work.name, .bold), TextTable.Cell(work.startedAt), TextTable.Cell(work.status),
                TextTable.Cell(
                    ConnectorText.progress(
                        delivered: work.delivered, total: max(work.pushed, work.expected), failed: work.failed),
                    work.inError || work.failed > 0 ? .bad : .plain),
                TextTable.Cell((work.errors.suffix(3) + work.messages.suffix(3)).map(\.text).joined(separator: " · ")),
            ])
        }
        return table
    }

    private var auditTable: TextTable {
        var table = TextTable(["at", "who", "what", "why"])
        for entry in view.audit ?? [] {
            table.add([
                TextTable.Cell(entry.at), TextTable.Cell(entry.who), TextTable.Cell(entry.action, .bold),
                TextTable.Cell(entry.why),
            ])
        }
        return table
    }
}
