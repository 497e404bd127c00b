import Foundation
import HTTPTypes
import Testing
import WeirDirectory
import WeirGates
import WeirIdentity
import WeirNode
import WeirTunnel
import WeirWorld

@testable import WeirConsole
@testable import WeirTunnel

/// The reference pages are made from the code; `WEIR_UPDATE=1 swift test --filter ReferenceTests` writes them anew.
@Suite("Reference pages")
struct ReferenceTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func compare(_ path: String, _ text: String) throws {
        let file = Self.root.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["WEIR_UPDATE"] == "1" {
            try Data(text.utf8).write(to: file)
            return
        }
        let written = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(written == text, "\(path) is stale: run with WEIR_UPDATE=1 and read the difference")
    }

    // MARK: Metrics

    private static let connectors = ConnectorMetrics(
        index: ConnectorIndex(ConnectorStatus.samples), statuses: ConnectorStatus.samples)

    private static let node = FakeNode.busy(tunnel: FakeTunnel(givesNowConnectNames: true))

    private static func text() -> String {
        var process = ProcessReading()
        process.take(stat: "1 (w) S 1 2 3 4 5 6 7 8 9 10 1 1 0 0 20 0 4 0 1 1 1 0", system: "btime 1\n")
        process.take(limits: "Max open files 1 1 files")
        process.openFiles = 1
        return NodeMetrics.text(
            Self.node, process: process, connectors: Self.connectors, identity: Self.identity)
    }

    /// One of each, so that every series has its labels.
    private static var identity: IdentityMetrics {
        let user = ObjectKind(silo: "directory")
        var rule = RuleView(rule: Rule(name: "titles", kind: .update, target: user))
        rule.limit = 1
        var sync = SyncView(
            id: "1", request: SyncRequest(kind: .full, mode: .commit), began: FakeTime.start)
        sync.ended = FakeTime.start
        sync.rules = [SyncView.RuleCounts(rule: "titles")]
        var scan = ScanView(id: "1", kind: user, isFull: true, status: .complete, began: FakeTime.start)
        scan.ended = FakeTime.start
        let silo = SiloView(
            name: "directory", provider: "ldap", types: [SiloView.TypeView(type: "user", live: 1)], scans: [scan])
        var figures = DirectoryCounters().value
        figures.operations[DirectoryCounters.Operation(word: "search", code: "0")] = 1
        figures.batchErrors["20"] = 1
        return IdentityMetrics(
            rules: [rule], silos: [silo], last: sync, badLinks: 0, notices: [],
            directories: [(silo: "directory", figures: figures)], givesNowConnectNames: true)
    }

    /// What an agent says of itself, without what it says of its process, which is as a node's.
    private static func agentText() -> String {
        let target = AgentLook.Target(connector: "addomain", address: "127.0.0.1:389", isServed: true)
        let look = AgentLook(
            name: "site-01", version: "1", isConnected: true, since: FakeTime.start, links: 1, linksWanted: 1,
            streams: 0, targets: [target], certificateExpiry: FakeTime.start, certificateRenewal: FakeTime.start,
            linkAttempts: 0)
        let meters = TunnelMeters(connectors: ["addomain"], time: FakeTime())
        return AgentMetrics.text(look, meters, process: ProcessReading(), now: .zero)
    }

    private func families(_ text: String) -> [(name: String, kind: String, help: String)] {
        let lines = text.split(separator: "\n")
        let helps = lines.filter { $0.hasPrefix("# HELP ") }.map { $0.dropFirst(7).split(separator: " ", maxSplits: 1) }
        let kinds = lines.filter { $0.hasPrefix("# TYPE ") }.map {
            $0.split(separator: " ").last.map(String.init) ?? ""
        }
        return zip(helps, kinds).map { (String($0[0]), $1, String($0[1])) }
    }

    private func labels(_ name: String, _ text: String) -> String {
        let lines = text.split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix(name + "{") || $0.hasPrefix(name + "_bucket{") }) else {
            return ""
        }
        return line.matches(of: /([a-z_]+)="/).map { "`\($0.1)`" }.joined(separator: " ")
    }

    private func table(_ text: String) -> String {
        families(text).map { "| `\($0.name)` | \($0.kind) | \(labels($0.name, text)) | \($0.help) |\n" }.joined()
    }

    @Test("The metrics page names every metric, with its labels and meaning")
    func metrics() throws {
        var text = """
            # Metrics

            `GET /metrics` on the API's address, in the Prometheus text format. The page is made from the code.

            Every series that can be known from the configuration is there from the start, with zero. Where a label
            is a reason, which
            reasons there are is known only once they occur; until then the family has `reason="none"` with zero.
            Levels and
            limits carry the gate's unit in the name (`bytes`, `events`, `requests`, `frames`, `files`, `actions`);
            gates of the
            units that are not configured have no family.

            The law of the product, as a query that is always zero (but for the moment between two reads):

            ```
            sum by (gate) (weir_events_total{decision=~"taken|recovered"})
              - sum by (gate) (weir_events_total{decision=~"delivered|dropped|dead_lettered"})
              - weir_gate_held_events
            ```

            Names that begin with `nowconnect_` are given with `metrics: { tunnel_names: nowconnect }`.

            | name | type | labels | meaning |
            | --- | --- | --- | --- |

            """
        text += table(Self.text())
        text += """

            ## An agent's own

            `weir agent` gives these at its own address (`--listen`, `127.0.0.1:9472` unless set), with `process_…` as
            a node does. Directions are a hub's: to the target, and to the client. Those of a certificate are there
            once it has enrolled.

            | name | type | labels | meaning |
            | --- | --- | --- | --- |

            """
        let agent = Self.agentText()
        text += table(String(agent.prefix(upTo: agent.range(of: "# HELP process_")?.lowerBound ?? agent.endIndex)))
        text += """

            ## Alerts

            `deploy/prometheus/weir.rules.yml` has these, with tests beside them. A gate that holds for a moment does
            its work and wakes
            nobody.

            ### WeirGateHeld
            A gate has held its senders for 15 minutes. `weir why GATE` names the reason, what was measured, and what
            reopens it.
            Usually the receiver is away or slow; nothing is lost while senders wait. To let them go on meanwhile,
            give the destination a
            queue (`on_backpressure: queue`). More: [blocking](../runbooks/blocking.md).

            ### WeirGateSuspended
            The receiver answered that the destination itself is wrong (401, 403, 404, 405, 407, bad credentials), so
            that trying again
            would not help. Mend the configuration or the receiver, then `weir release GATE`. More:
            [suspended](../runbooks/suspended.md).

            ### WeirQueueFillsSoon
            The queue is over half full and at its present growth full within four hours. Look at the receiver (`weir
            why`), or raise
            `max_size` where the disk allows it. More: [queueing](../runbooks/queueing.md).

            ### WeirQueueFull
            Now `on_full` decides: senders wait (`block`), or events are dropped and counted (`drop_newest`,
            `drop_oldest`).

            ### WeirEventsDropped
            Events are dropped because the configuration says so (`on_backpressure: drop`, `on_full: drop_…`,
            `client_errors: drop`).
            `weir_dropped_events_total` has the reasons.

            ### WeirSourceLosesEvents
            The source's senders cannot be held back (UDP) and there was no room. Send by TCP, or give the slowest
            destination a queue.

            ### WeirDeadLetters
            The receiver refuses single events for good. They are kept: list them with `GET
            /api/v1/dead-letters/NAME`, and send them again
            with `POST /api/v1/dead-letters/NAME/replay` when the receiver has learned to take them.

            ### WeirNotReady
            `curl http://127.0.0.1:9471/readyz?verbose` names the part. The node's log says since when and why.

            """
        try compare("docs/reference/metrics.md", text)
    }

    @Test("Every alert leads to a section of a page", arguments: ["weir.rules.yml", "nowconnect.rules.yml"])
    func alerts(_ rules: String) throws {
        let file = { (path: String) in
            String(decoding: try Data(contentsOf: Self.root.appendingPathComponent(path)), as: UTF8.self)
        }
        let text = try file("deploy/prometheus/\(rules)")
        let names = text.matches(of: /- alert: (\w+)/)
        let pages = text.matches(of: /runbook: (docs\/[a-z\/]+\.md)#(\w+)/)
        #expect(!names.isEmpty && names.count == pages.count)
        for page in pages {
            let sections = try file(String(page.1)).matches(of: /\n##+ (\w+)\n/).map { $0.1.lowercased() }
            #expect(sections.contains(String(page.2)), "\(page.1) has no section \(page.2)")
        }
    }

    @Test(
        "The alert rules do what their tests say",
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool"), "SKIPPED: apt-get install prometheus"
        ))
    func rules() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
        process.arguments = ["test", "rules", "weir.rules.test.yml", "nowconnect.rules.test.yml"]
        process.currentDirectoryURL = Self.root.appendingPathComponent("deploy/prometheus")
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(String(decoding: said, as: UTF8.self))")
    }

    // MARK: API

    @Test("The API page has every route, with what it takes and gives")
    func api() throws {
        let node = FakeNode.busy()
        let api = APIEndpoints(observatory: Observatory(node: node), streams: StreamLimit(capacity: 1)).all
        var text = """
            # API

            On `api.listen` (default `127.0.0.1:9471`), loopback only: there is no sign-in yet. The page is made from
            the code;
            `GET /api/v1/openapi.json` is the same as an OpenAPI 3.1 document.

            - Keys are snake_case; they may be added, never renamed. What is not known is left out. Times are RFC
            3339 in UTC,
              durations in seconds, sizes in bytes.
            - Errors have one shape: `{"code", "message", "detail", "help"}`; `code` is for machines.
            - Names in paths are percent-encoded.
            - A request that a page of another origin sends is refused (`Host`, `Origin` and `Sec-Fetch-Site` are
            looked at).

            | route | what it does |
            | --- | --- |

            """
        let health = HealthEndpoints(node: node).all
        for endpoint in health + api {
            text += "| `\(endpoint.method.rawValue) \(endpoint.path)` | \(endpoint.summary) |\n"
        }
        for endpoint in api {
            text += "\n## \(endpoint.method.rawValue) \(endpoint.path)\n\n\(endpoint.summary)\n\n"
            for query in endpoint.query {
                text += "- `?\(query.name)=`: \(query.meaning)"
                switch query.kind {
                case .number(let range, let standard):
                    text += "; \(range.lowerBound) to \(range.upperBound), default \(standard)\n"
                case .text: text += "\n"
                case .choice(let words): text += "; one of \(words.map { "`\($0)`" }.joined(separator: ", "))\n"
                }
            }
            switch endpoint.answer {
            case .json(let schema): text += "Answers with JSON: \(describe(schema)).\n"
            case .lines(let schema): text += "Answers with a line of JSON each: \(describe(schema)).\n"
            case .events(let schema): text += "Answers with server-sent events: \(describe(schema)).\n"
            case .text, .document: text += "Answers with a document.\n"
            }
            if !endpoint.problems.isEmpty {
                text += "Errors: \(endpoint.problems.map(String.init).joined(separator: ", ")).\n"
            }
        }
        var seen: Set<String> = []
        var objects = ""
        for endpoint in api {
            switch endpoint.answer {
            case .json(let schema), .lines(let schema), .events(let schema): list(schema, &seen, &objects)
            case .text, .document: break
            }
        }
        text += "\n## Objects\n" + objects
        try compare("docs/reference/api.md", text)
    }

    private func describe(_ schema: Schema) -> String {
        switch schema {
        case .string: "string"
        case .integer: "integer"
        case .number: "number"
        case .boolean: "boolean"
        case .array(let element): "list of \(describe(element))"
        case .map(let value): "\(describe(value)) by name"
        case .object(let name, _): "[\(name)](#\(name.lowercased()))"
        }
    }

    private func list(_ schema: Schema, _ seen: inout Set<String>, _ text: inout String) {
        switch schema {
        case .array(let element): list(element, &seen, &text)
        case .map(let value): list(value, &seen, &text)
        case .object(let name, let properties):
            guard seen.insert(name).inserted else { return }
            text += "\n### \(name)\n\n| key | type |\n| --- | --- |\n"
            for property in properties {
                text +=
                    "| `\(property.name)` | \(describe(property.schema))"
                    + "\(property.isRequired ? "" : ", may be absent") |\n"
            }
            for property in properties { list(property.schema, &seen, &text) }
        case .string, .integer, .number, .boolean: break
        }
    }
}
