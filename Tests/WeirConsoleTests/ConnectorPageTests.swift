import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing
import WeirGates

@testable import WeirConsole
@testable import WeirNode

@Suite("What is shown of connectors")
struct ConnectorPageTests {
    private func ask(
        _ node: FakeNode, _ uri: String, _ method: HTTPRequest.Method = .get, body: String = ""
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        let server = try ConsoleServer(node: node, listen: "127.0.0.1:0", world: node.world)
        return try await server.application.test(.router) { client in
            try await client.execute(uri: uri, method: method, body: ByteBuffer(string: body)) { response in
                (response.status.code, response.headers, String(buffer: response.body))
            }
        }
    }

    private func list(_ uri: String) async throws -> ConnectorListView {
        let answer = try await ask(.withConnectors(), uri)
        #expect(answer.status == 200, "\(answer.body)")
        return try JSONText.decode(ConnectorListView.self, from: Data(answer.body.utf8))
    }

    @Test("The list has the words of OpenCTI's page")
    func words() async throws {
        let page = try await ask(.withConnectors(), "/connectors").body
        for text in [
            "9.90 MB / 8.00 MB", "External schedule", "2026-11-21 14:30:00 UTC (from State)", "Not provided",
            "unknown / 8.00 MB", "10 min ago", "Weir runs it", "Its process has not pinged.",
        ] { #expect(page.contains(text), "\(text)") }
        #expect(page.contains(#"<span class="full" id="ccapacity:full">9.90 MB / 8.00 MB</span>"#))
    }

    @Test("Capacity turns red exactly where a run is put off", arguments: [(7_999_999, false), (8_000_000, true)])
    func threshold(bytes: Int64, isRed: Bool) async throws {
        let node = FakeNode.withConnectors([.sample("kev") { $0.queueBytes = bytes }])
        let page = try await ask(node, "/connectors/kev").body
        #expect(page.contains(#"<span class="full" id="ccapacity:kev">"#) == isRed)
        #expect(page.contains("Runs are put off:") == isRed, "the warning comes with the colour")
        #expect(page.contains(isRed ? "8.00 MB / 8.00 MB" : "7.99 MB / 8.00 MB"))
    }

    @Test("A list is filtered, searched, sorted and cut, and says how many there are")
    func choice() async throws {
        let all = try await list("/api/v1/connectors")
        #expect(all.connectors.map(\.id) == ["blind", "Broken", "full", "kev", "outside"])
        #expect((all.total, all.matching, all.held, all.troubled) == (5, 5, 3, 3))
        #expect(try await list("/api/v1/connectors?state=failed").connectors.map(\.id) == ["Broken"])
        #expect(try await list("/api/v1/connectors?state=held").connectors.map(\.id) == ["blind", "Broken", "full"])
        #expect(try await list("/api/v1/connectors?q=B").connectors.map(\.id) == ["blind", "Broken"])
        #expect(try await list("/api/v1/connectors?sort=state&limit=2").connectors.map(\.id) == ["Broken", "full"])
        #expect(try await list("/api/v1/connectors?sort=size").connectors.first?.id == "blind", "unknown is full")
        let first = try await list("/api/v1/connectors?limit=2")
        #expect(first.next == "Broken")
        #expect(try await list("/api/v1/connectors?limit=2&after=Broken").connectors.map(\.id) == ["full", "kev"])
        #expect(try await list("/api/v1/connectors?limit=9&after=kev").next == nil)
    }

    @Test("A wrong choice is refused and the nearest named")
    func refusals() async throws {
        let answer = try await ask(.withConnectors(), "/api/v1/connectors?state=bufering")
        #expect(answer.status == 400)
        #expect(answer.body.contains(#"Did you mean \"buffering\"?"#), "\(answer.body)")
        #expect(try await ask(.withConnectors(), "/api/v1/connectors?limit=0").status == 400)
        #expect(try await ask(.withConnectors(), "/api/v1/connectors?after=nobody").status == 400)
        #expect(try await ask(.withConnectors(), "/connectors?sort=nme").status == 400)
    }

    @Test("A connector is found by its name; where several have it, by its id only")
    func names() async throws {
        let node = FakeNode.withConnectors([
            .sample("1") { $0.name = "feed" }, .sample("2") { $0.name = "twin" }, .sample("3") { $0.name = "twin" },
        ])
        #expect(try await ask(node, "/api/v1/connectors/feed").body.contains(#""id":"1""#))
        let twin = try await ask(node, "/api/v1/connectors/twin")
        #expect(twin.status == 409 && twin.body.contains("Their ids: 2, 3."), "\(twin.body)")
        let unknown = try await ask(node, "/api/v1/connectors/fed")
        #expect(unknown.status == 404 && unknown.body.contains(#"Did you mean \"feed\"?"#), "\(unknown.body)")
    }

    @Test("An order is given after a page that asks, and says who and why")
    func orders() async throws {
        let connectors = FakeConnectors(ConnectorStatus.samples)
        let node = FakeNode(connectors: connectors)
        let asked = try await ask(node, "/connectors/outside/reset").body
        #expect(asked.contains("Reset state: outside?") && asked.contains("last_run") && asked.contains(#"name="why""#))
        #expect(connectors.orders.isEmpty, "asking does nothing")
        let done = try await ask(node, "/connectors/outside/reset", .post, body: "why=wrong+year%21")
        #expect(done.headers[.location] == "/connectors/outside")
        _ = try await ask(node, "/api/v1/connectors/kev/pause", .post, body: #"{"who":"anna","why":"broken"}"#)
        _ = try await ask(node, "/api/v1/connectors/kev/resume", .post)
        #expect(
            connectors.orders == [
                "reset outside by console: wrong year!", "pause kev by anna (api): broken", "resume kev by api: ",
            ])
        #expect(try await ask(node, "/api/v1/connectors/kev/pause", .post, body: "{").status == 400)
    }

    @Test("Dead letters stand on the page with when, why and how large; each is replayed or discarded after a question")
    func letters() async throws {
        let connectors = FakeConnectors([.sample("kev") { $0.deadLetters = 30 }, .sample("well")])
        let node = FakeNode(connectors: connectors)
        let page = try await ask(node, "/connectors/kev").body
        for text in [
            "30 of its bundles could not be unpacked", ">4096<", "2026-11-21 14:30:00 UTC", "9 B",
            "The bundle is no JSON.", "These are the oldest.", "weir connector dead-letters ls kev",
            #"action="/connectors/kev/dead-letters/4096/replay""#, #"action="/connectors/kev/dead-letters/discard""#,
        ] { #expect(page.contains(text), "\(text)") }
        #expect(try await !ask(node, "/connectors/well").body.contains("Dead letters"))
        let one = try await ask(node, "/connectors/kev/dead-letters/4096/discard").body
        #expect(one.contains("Discard dead letter 4096: kev?") && one.contains("no bundle") && one.contains("undone"))
        let all = try await ask(node, "/connectors/kev/dead-letters/replay").body
        #expect(all.contains("Replay all dead letters: kev?") && all.contains("These 30 bundles"))
        #expect(try await ask(node, "/connectors/kev/dead-letters/7/discard").status == 404)
        #expect(try await ask(node, "/connectors/nobody/dead-letters/replay").status == 404)
        #expect(connectors.orders.isEmpty, "asking does nothing")
        let done = try await ask(node, "/connectors/kev/dead-letters/4096/discard", .post, body: "why=old")
        #expect(done.headers[.location] == "/connectors/kev")
        _ = try await ask(node, "/connectors/kev/dead-letters/replay", .post, body: "why=mended")
        #expect(
            connectors.orders == ["discard 4096 of kev by console: old", "replay all of kev by console: mended"])
    }

    @Test("A page loads itself anew when dead letters come or go, also as many as before")
    func letterStructure() {
        func structure(_ letters: Int, _ ever: UInt64) -> String {
            ConnectorPage.structure(
                .sample("kev") {
                    $0.deadLetters = letters
                    $0.gate?.counters.deadLetteredEvents = ever
                }, version: "1")
        }
        #expect(structure(1, 1) == structure(1, 1))
        #expect(structure(1, 1) != structure(2, 2) && structure(1, 1) != structure(1, 2))
        #expect(structure(0, 2) != structure(1, 2))
    }

    @Test("While very many connectors are looked at for the first time, the page says how far that is")
    func progress() async throws {
        let connectors = FakeConnectors([], indexProgress: ConnectorIndexProgress(looked: 12_500, of: 100_000))
        let page = try await ask(FakeNode(connectors: connectors), "/connectors").body
        #expect(page.contains("12,500 of 100,000 so far") && !page.contains("No connectors yet"))
    }

    @Test("The page of one says what is wrong, where the way out is written, and who did what")
    func one() async throws {
        let page = try await ask(.withConnectors(), "/connectors/outside").body
        for text in [
            "Its process has not pinged.", "docs/runbooks/connectors.md#stale-heartbeat", "the feed is broken",
            "anna (api)", "/gates/connector%2Foutside",
        ] { #expect(page.contains(text), "\(text)") }
        #expect(!page.contains("/outside/run"), "Weir cannot start a process of others")
    }

    @Test("Without connectors the page says what to type")
    func empty() async throws {
        let page = try await ask(.withConnectors([]), "/connectors").body
        for text in ["No connectors yet", "export OPENCTI_URL=", "schedule: PT5H", "weir check weir.yaml"] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(try await ask(.withConnectors(), "/connectors?q=nothing").body.contains("No connector fits."))
    }

    @Test("Nothing that a connector says of itself becomes markup")
    func hostile() async throws {
        let node = FakeNode.withConnectors(
            FakeNode.hostileTexts.map { text in
                .sample(text) {
                    $0.state = text
                    $0.troubles = [Trouble("x", text)]
                    $0.gate?.reason = Reason("x", text)
                }
            })
        for uri in ["/connectors"] + FakeNode.hostileTexts.map({ "/connectors/\(PathSegment.encode($0))" }) {
            let page = try await ask(node, uri).body
            #expect(page.matches(of: /<script/).count == 1 && !page.contains("<img") && !page.contains("<svg onload"))
            #expect(!page.unicodeScalars.contains { $0 == "\u{202E}" || $0 == "\u{1B}" })
        }
    }

    @Test("Many connectors have a page of a hundred, bounded metrics, and no rows on the overview")
    func many() async throws {
        let node = FakeNode.withConnectors((0..<1_200).map { .sample("c\($0 + 10_000)") })
        let page = try await ask(node, "/connectors").body
        #expect(page.matches(of: /id="ccapacity:/).count == 100)
        #expect(page.contains("1 to 100 of 1,200") && page.contains("/connectors?after=c10099"))
        let metrics = try await ask(node, "/metrics").body
        #expect(metrics.contains("weir_connectors_without_series 700"))
        #expect(metrics.matches(of: /weir_connector_queue_bytes\{/).count == ConnectorMetrics.seriesMost)
        #expect(metrics.matches(of: /weir_gate_since_timestamp_seconds\{/).count == ConnectorMetrics.seriesMost)
        let overview = try await ask(node, "/").body
        #expect(!overview.contains("c10000") && overview.contains("The gates of 1,200 connectors are on the page"))
        let gates = try await ask(node, "/api/v1/gates?connectors=7").body
        #expect(gates.matches(of: /"kind":"connector"/).count == 7)
        #expect(try await ask(node, "/gates/connector%2Fc10500").status == 200)
    }

    @Test("Page and live updates say the same, cell by cell")
    func live() throws {
        let statuses = ConnectorStatus.samples
        let index = ConnectorIndex(statuses)
        let selection = try #require(index.select(ConnectorQuery()))
        let seen = ConnectorListing(
            at: FakeTime.start, version: "1", query: ConnectorQuery(), index: index, selection: selection,
            statuses: statuses)
        let page = ConnectorsPage(seen: seen).markup.text
        for (id, cell) in LiveCells(seen).cells {
            #expect(page.contains("id=\"\(Markup(id).text)\""), "\(id) is on the page")
            if let text = cell.t, !text.isEmpty { #expect(page.contains(Markup(text).text), "\(id)") }
        }
    }
}
