/// The tables of identity on a terminal.
extension Listing {
    package static func silos(_ silos: [IdentityAPI.Silo]) -> TextTable {
        var table = TextTable(["silo", "provider", "objects", "last scan", "status", "found"])
        for silo in silos {
            let scan = silo.scans.first
            table.add([
                TextTable.Cell(silo.name, .bold), TextTable.Cell(silo.provider),
                TextTable.Cell(silo.types.map { "\($0.live) \($0.type)" }.joined(separator: ", ")),
                TextTable.Cell(scan?.ended ?? scan?.began ?? "none yet"),
                TextTable.Cell(scan?.status ?? "", scan.map { ink(scan: $0.status) } ?? .plain),
                TextTable.Cell(scan.map(found) ?? ""),
            ])
        }
        return table
    }

    package static func scans(_ scans: [IdentityAPI.Scan]) -> TextTable {
        var table = TextTable(["scan", "objects", "kind", "status", "found"])
        for scan in scans {
            table.add([
                TextTable.Cell(scan.id), TextTable.Cell(scan.objects), TextTable.Cell(scan.full ? "full" : "delta"),
                TextTable.Cell(scan.status, ink(scan: scan.status)), TextTable.Cell(found(scan)),
            ])
        }
        return table
    }

    private static func ink(scan status: String) -> Ink {
        switch status {
        case "complete", "accepted": .good
        case "running": .busy
        case "quarantined": .person
        default: .bad
        }
    }

    private static func found(_ scan: IdentityAPI.Scan) -> String {
        var text = "\(scan.seen) seen, \(scan.added) new, \(scan.changed) changed, \(scan.gone) gone"
        if let refused = scan.refused.first { text += "; \(refused.place): \(refused.reason)" }
        return scan.text.isEmpty ? text : text + "; " + scan.text
    }

    package static func rules(_ rules: [IdentityAPI.Rule]) -> TextTable {
        var table = TextTable(["rule", "kind", "target", "passes", "of", "waits", "approved", "remark"])
        for rule in rules {
            var remark = rule.error ?? (rule.simulated ? "simulated" : "")
            if rule.clamped { remark = "\(rule.threshold) counts as 5%. " + remark }
            table.add([
                TextTable.Cell(rule.name, .bold), TextTable.Cell(rule.kind), TextTable.Cell(rule.target),
                TextTable.Cell(rule.limit.map(String.init) ?? "any"), TextTable.Cell("\(rule.base)"),
                TextTable.Cell("\(rule.suspended)", rule.suspended > 0 ? .person : .plain),
                TextTable.Cell("\(rule.approved)"), TextTable.Cell(remark, rule.error == nil ? .dim : .bad),
            ])
        }
        return table
    }

    package static func reviews(_ reviews: [IdentityAPI.Review]) -> TextTable {
        var table = TextTable(["rule", "run", "waits", "vip", "passes", "why", "expires", "then"])
        for review in reviews {
            table.add([
                TextTable.Cell(review.rule, .bold), TextTable.Cell(review.run),
                TextTable.Cell("\(review.suspended)", .person), TextTable.Cell("\(review.vip)"),
                TextTable.Cell(review.limit.map(String.init) ?? "any"), TextTable.Cell(review.reason),
                TextTable.Cell(review.expires), TextTable.Cell(review.onExpiry),
            ])
        }
        return table
    }

    package static func syncs(_ syncs: [IdentityAPI.Sync]) -> TextTable {
        var table = TextTable(["run", "kind", "mode", "began", "changes", "executed", "waits", "remark"])
        for sync in syncs {
            table.add([
                TextTable.Cell(sync.id), TextTable.Cell(sync.kind), TextTable.Cell(sync.mode),
                TextTable.Cell(sync.began), TextTable.Cell("\(sync.triggered)"),
                TextTable.Cell("\(sync.count("executed"))"),
                TextTable.Cell("\(sync.count("suspended"))", sync.count("suspended") > 0 ? .person : .plain),
                TextTable.Cell(
                    sync.failure ?? (sync.problems.isEmpty ? "" : "\(sync.problems.count) problems"),
                    sync.failure == nil ? .dim : .bad),
            ])
        }
        return table
    }

    /// `title: Clerk → Manager; mail: → a@example.org`. Of what is made or deleted first its name.
    package static func change(_ edits: [IdentityAPI.Edit]) -> String {
        guard let first = edits.first else { return "" }
        switch first.what {
        case "delete":
            let lost = edits.count - 1
            return "delete \(first.before)" + (lost > 0 ? " (\(lost) attributes)" : "")
        case "create":
            let values = edits.dropFirst().map { "\($0.what) \($0.after)" }
            return (["create \(first.after)"] + values).joined(separator: "; ")
        default:
            return edits.map { edit in
                let before = edit.before.isEmpty ? "" : edit.before + " "
                return "\(edit.what): \(before)→\(edit.after.isEmpty ? "" : " " + edit.after)"
            }.joined(separator: "; ")
        }
    }

    package static func identities(_ identities: [IdentityAPI.Summary]) -> TextTable {
        var table = TextTable(["identity", "id", "objects"])
        for one in identities {
            table.add([
                TextTable.Cell((one.vip ? "VIP " : "") + one.label, one.vip ? .person : .bold),
                TextTable.Cell(one.id), TextTable.Cell(one.objects.joined(separator: ", ")),
            ])
        }
        return table
    }

    package static func overrides(_ keys: [IdentityAPI.Override]) -> TextTable {
        var table = TextTable(["key", "silo", "term", "from", "until", "issued by", "second", "reason"])
        for key in keys {
            table.add([
                TextTable.Cell(key.id), TextTable.Cell(key.silo ?? "all"), TextTable.Cell(key.term),
                TextTable.Cell(key.from), TextTable.Cell(key.until ?? ""), TextTable.Cell(key.issuedBy),
                TextTable.Cell(key.second), TextTable.Cell(key.reason),
            ])
        }
        return table
    }

    package static func decisions(_ decisions: [IdentityAPI.Decision]) -> TextTable {
        var table = TextTable(["at", "who", "did", "what", "from", "to", "why"])
        for line in decisions {
            table.add([
                TextTable.Cell(line.at), TextTable.Cell("\(line.who) (\(line.how))"), TextTable.Cell(line.verb, .bold),
                TextTable.Cell(line.which), TextTable.Cell(line.from), TextTable.Cell(line.to),
                TextTable.Cell(line.reason),
            ])
        }
        return table
    }

    /// `weir why rule/R`.
    package static func why(_ rule: IdentityAPI.Rule) -> WhyText {
        var lines = [
            WhyText.Line("does", "\(rule.kind) \(rule.target)", note: rule.simulated ? "simulated" : ""),
            WhyText.Line(
                "passes", rule.limit.map { "up to and including \($0)" } ?? "any number",
                note: "\(rule.threshold) of \(rule.base)" + (rule.clamped ? ", reduced to 5 % of a large silo" : "")),
            WhyText.Line("level", "\(rule.level)", note: "of the last sync and the look-back"),
            WhyText.Line("throttle", rule.throttle.isEmpty ? "none" : rule.throttle),
        ]
        if !rule.quotas.isEmpty { lines.append(WhyText.Line("quota", rule.quotas.joined(separator: ", "))) }
        lines.append(WhyText.Line("VIPs", rule.asksVip ? "always asked about" : "as everybody"))
        lines.append(WhyText.Line("waits", "\(rule.suspended)", note: rule.suspended > 0 ? "weir get reviews" : ""))
        lines.append(WhyText.Line("approved", "\(rule.approved)", note: "run in the next committed sync"))
        lines.append(
            WhyText.Line(
                "lets go",
                rule.suspended > 0
                    ? "a person approves or rejects, or "
                        + "\(Figures.duration(rule.expirySeconds)) pass: then "
                        + (rule.onExpiry == "approve" ? "they count as approved" : "they are cleared")
                    : "nothing is held",
                note: rule.fourEyes ? "two people must approve" : ""))
        if let error = rule.error { lines.append(WhyText.Line("error", error)) }
        let state = rule.error != nil ? "in error" : rule.suspended > 0 ? "suspended" : "open"
        return WhyText(headline: "rule/\(rule.name) is \(state)", lines: lines)
    }

    /// `weir describe identity X`.
    package static func identity(_ view: IdentityAPI.Identity) -> [String] {
        var lines = ["\(view.vip ? "VIP " : "")\(view.label)  (\(view.id))"]
        if let dispute = view.dispute { lines.append("  left out: \(dispute)") }
        for object in view.objects {
            lines.append("  \(object.kind)  \(object.name)")
            for (name, values) in object.attributes.sorted(by: { $0.key < $1.key }) {
                lines.append("    \(name): \(values.prefix(20).joined(separator: ", "))")
            }
        }
        lines.append("  rules")
        for verdict in view.verdicts {
            lines.append("    \(verdict.rule): \(verdict.text)")
            if let trigger = verdict.trigger, !trigger.change.isEmpty {
                lines.append("      \(change(trigger.change))")
            }
        }
        for action in view.history.prefix(20) {
            lines.append("  \(action.created)  \(action.rule): \(action.state)  \(change(action.change))")
        }
        return lines.map(Printable.line)
    }
}
