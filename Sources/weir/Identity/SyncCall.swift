import ArgumentParser
import FoundationEssentials
import WeirConsole

/// Starts a sync and shows how far it is, then what came of it.
struct SyncCall {
    let choice: SyncChoice
    let mode: String

    func run(_ client: APIClient) async throws -> IdentityAPI.Sync {
        let bar = ProgressBar()
        var last: IdentityAPI.SyncLine?
        // A day: a full sync of a slow directory takes its time.
        try await client.lines("/api/v1/syncs" + choice.query(mode: mode), method: "POST", seconds: 86_400) { line in
            let step = try JSONText.decode(IdentityAPI.SyncLine.self, from: Data(line))
            if let progress = step.progress { bar.show(progress) } else { last = step }
            return true
        }
        bar.clear()
        if let problem = last?.problem {
            throw APIClient.Failure(
                text: problem.text, exit: ["busy", "unavailable"].contains(problem.kind) ? .tryAgain : .failed,
                code: problem.code)
        }
        guard let sync = last?.sync else { throw client.foreign }
        try await show(sync, client)
        if let failure = sync.failure { throw APIClient.Failure(text: failure, exit: .failed) }
        return sync
    }

    private func show(_ sync: IdentityAPI.Sync, _ client: APIClient) async throws {
        let rows = try await triggers(sync, client)
        switch choice.output {
        case .table:
            let rules = try await client.get([IdentityAPI.Rule].self, "/api/v1/rules")
            let report = SyncText(sync: sync, rows: rows, rules: rules)
            Self.print(report, again: choice.embedded.again)
        case .jsonl:
            if !rows.isEmpty, let text = choice.output.text(try Tree(Data(JSONText.encode(rows).utf8))) {
                Terminal.out.line(text)
            }
        case .json, .yaml:
            let tree = Tree.object([
                "sync": try Tree(Data(JSONText.encode(sync).utf8)),
                "triggers": try Tree(Data(JSONText.encode(rows).utf8)),
            ])
            if let text = choice.output.text(tree) { Terminal.out.line(text) }
        }
    }

    /// What came of a sync goes to standard output; what to do next and what went wrong beside it.
    static func print(_ report: SyncText, again: String) {
        let out = Terminal.out
        if !report.rows.isEmpty {
            out.table(report.table)
            if let more = report.more { out.line(more) }
            out.line("")
            out.table(report.counts)
            out.line("")
        }
        for line in report.holds { out.line(line) }
        for line in report.problems { Terminal.error.line(line) }
        out.line(report.summary)
        for line in report.next(again: again) { Terminal.error.line(line) }
    }

    private func triggers(_ sync: IdentityAPI.Sync, _ client: APIClient) async throws -> [IdentityAPI.Trigger] {
        try await Self.triggers(sync.id, rule: choice.rule, most: choice.rowsMost, client)
    }

    static func triggers(
        _ sync: String, rule: String?, most: Int, _ client: APIClient
    ) async throws -> [IdentityAPI.Trigger] {
        var rows: [IdentityAPI.Trigger] = []
        var after: String?
        repeat {
            var path = "/api/v1/syncs/\(PathSegment.encode(sync))/triggers?limit=\(min(1_000, most - rows.count))"
            if let rule { path += "&rule=\(PathSegment.encode(rule))" }
            if let after { path += "&after=\(PathSegment.encode(after))" }
            let page = try await client.get(IdentityAPI.TriggerList.self, path)
            rows += page.items
            after = page.next
        } while after != nil && rows.count < most
        return rows
    }
}
