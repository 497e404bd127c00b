import Foundation
import Testing
import WeirGates
import WeirNode
import WeirWorld

@testable import WeirConsole

@Suite("What people read")
struct TextTests {
    @Test(
        "Bytes have three figures and a unit",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (8_000_000, "8.00 MB"), (9_900_000, "9.90 MB"),
            (999_999, "999 kB"), (41_290_000, "41.2 MB"), (262_144, "262 kB"), (1_860_000_000, "1.86 GB"),
            (-1_500, "-1.50 kB"),
            (Int64.max, "9.22 EB"), (Int64.min, "-9.22 EB"),
        ])
    func bytes(count: Int64, text: String) { #expect(Figures.bytes(count) == text) }

    @Test("Counts have separators", arguments: [(0, "0"), (999, "999"), (1_284, "1,284"), (-1_234_567, "-1,234,567")])
    func counts(count: Int64, text: String) { #expect(Figures.count(count) == text) }

    @Test(
        "Durations show their two largest units",
        arguments: [
            (0, "0 s"), (0.0004, "0.40 ms"), (0.002, "2 ms"), (0.0042, "4.2 ms"), (0.084, "84 ms"), (0.9, "900 ms"),
            (1.2, "1.2 s"),
            (6, "6 s"), (46, "46 s"), (131, "2 min 11 s"), (3_600, "1 h"), (11_100, "3 h 5 min"),
            (1_000_000, "11 d 13 h"),
            (-5, "0 s"), (.infinity, "ever"),
        ])
    func durations(seconds: Double, text: String) { #expect(Figures.duration(seconds) == text) }

    @Test(
        "Rates never show more than they know",
        arguments: [
            (0, "0"), (0.44, "0.4"), (9.97, "10"), (903.2, "903"), (1_284.4, "1,284"), (1_520_000, "1.52 M"),
            (5e9, "5.00 G"), (.nan, "0"),
        ])
    func rates(rate: Double, text: String) { #expect(Figures.rate(rate) == text) }

    @Test("Level and limit share a unit only when it is the same; more than the limit is said in words")
    func pressure() {
        #expect(Figures.pressure(6_200_000, of: 8_000_000, "bytes") == "6.20 / 8.00 MB")
        #expect(Figures.pressure(41_200_000, of: 5_000_000_000, "bytes") == "41.2 MB / 5.00 GB")
        #expect(Figures.pressure(524_250, of: 262_144, "bytes") == "524 kB, limit 262 kB")
        #expect(Figures.pressure(4, of: 5, "requests") == "4 / 5 requests")
        #expect(Figures.pressure(nil, of: 5, "files") == "? / 5 files")
    }

    @Test("The explanation of a held gate, as a terminal shows it")
    func why() {
        let view = GateView(.siem, at: FakeTime.start)
        #expect(
            Listing.why(WhyText(view), hasColours: false).joined(separator: "\n") == """
                siem is queueing since 14:27:49 UTC (2 min 11 s)
                  measured    1.86 GB on disk                                            37 % of the limit
                  queue       21,000 events, the oldest 2 min 11 s old                   mode error
                  in memory   51.7 kB of 8.00 MB
                  in flight   1 of 5 requests
                  limit       5.00 GB                                                    weir.yaml:14
                  rule        2 of 2 hosts answer 503.                                   http_503
                  reopens     when the receiver answers and the queue is empty; next attempt in 4 s
                  forecast    full in about 41 min at the present rates
                  in, out     0 events/s in, 0 events/s out                              \
                delivered in 20 ms (median), 1.2 s (p95)
                  not lost    21,207 events are held: 21,000 on disk, 207 in memory
                  accounts    20,000 delivered, 21,207 held, 0 dropped, 3 dead letters   of 41,210 taken
                """)
    }

    @Test("A batch more than the limit is explained, and a gate that is full has no forecast of being full")
    func overfull() throws {
        var reading = GateReading.relay
        (reading.level, reading.limit) = (524_250, Limit(262_144, .bytes, origin: "weir.yaml:16"))
        reading.details = [.init("in memory", "524 kB of 262 kB")]
        reading.forecast = .init(full: .zero)
        let lines = WhyText(GateView(reading, at: FakeTime.start)).lines
        let measured = try #require(lines.first)
        #expect(measured.value == "524 kB in memory")
        #expect(measured.note == "200 % of the limit, one batch more than it")
        #expect(lines.contains { $0.label == "limit" && $0.value == "262 kB (256 KiB)" })
        #expect(!lines.contains { $0.label == "forecast" || $0.label == "in memory" })
    }

    @Test("What was dropped is named with its reasons")
    func accounts() {
        let line = WhyText(GateView(.mirror, at: FakeTime.start)).lines.last
        #expect(line?.label == "accounts")
        #expect(line?.value == "60 delivered, 0 held, 40 dropped (buffer_full 40), 0 dead letters")
    }

    @Test("A table is as wide as its cells, and cut at the edge of the terminal")
    func table() {
        let gates = [GateReading.relay, .archive].map { GateView($0, at: FakeTime.start) }
        #expect(
            Listing.gates(gates).lines(width: nil, hasColours: false) == [
                "GATE     STATE     LEVEL / LIMIT   IN / OUT PER S  WHY",
                "relay    blocking  5 / 5 requests  0 / 0           5 of 5 requests are in flight.",
                "archive  open      12 / 300 files  0 / 0           The receiver accepts.",
            ])
        #expect(
            Listing.gates(gates).lines(width: 60, hasColours: false).last
                == "archive  open      12 / 300 files  0 / 0           The rece…")
        #expect(Listing.gates(gates).lines(width: 12, hasColours: false).last == "archive  op…")
        let coloured = Listing.gates(gates).lines(width: nil, hasColours: true)
        #expect(coloured.count == 3)
        #expect(coloured[1].contains("\u{1B}[31mblocking\u{1B}[0m"))
    }

    @Test("Wide characters count twice, combining marks not at all")
    func width() {
        #expect(Display.width("名前") == 4)
        #expect(Display.width("e\u{301}") == 1)
        #expect(Display.cut("名前です", to: 5) == "名前…")
    }

    @Test("Nothing that comes from outside reaches a terminal as a control", arguments: FakeNode.hostileTexts)
    func controls(text: String) {
        var reading = GateReading.relay
        reading.id = text
        reading.reason = Reason("x", text)
        reading.details = [.init(text, text)]
        let view = GateView(reading, at: FakeTime.start)
        let lines =
            Listing.why(WhyText(view), hasColours: false) + Listing.gates([view]).lines(width: nil, hasColours: false)
        for scalar in lines.joined().unicodeScalars {
            #expect(scalar.value >= 0x20 && scalar.value != 0x7F && scalar != "\u{202E}")
        }
    }

    @Test("YAML quotes what would be read as something else")
    func yaml() throws {
        let json =
            #"{"a":["x",{"b":"yes","c":-1}],"d":{},"e":"12","f":"weir.yaml:3","g":18446744073709551615,"#
            + #""h":[],"i":"plain words"}"#
        let tree = try Tree(
            Data(json.utf8))
        #expect(
            tree.yaml == """
                a:
                  - x
                  - b: "yes"
                    c: -1
                d: {}
                e: "12"
                f: "weir.yaml:3"
                g: 18446744073709551615
                h: []
                i: plain words
                """)
        #expect(
            tree.json
                == json
        )
    }

    @Test("Only loopback is listened on", arguments: ["127.0.0.1:9471", "[::1]:0", "localhost:1", "127.9.9.9:65535"])
    func loopback(text: String) throws { _ = try APIAddress(text) }

    @Test(
        "Other addresses are refused with a reason",
        arguments: [
            "0.0.0.0:9471", "[::]:9471", "192.168.0.1:80", "weir.example:80", "127.0.0.1.evil.example:80", "127.0.0.1",
            "127.0.0.1:65536", ":1",
            "127.0.0:1", "",
        ])
    func notLoopback(text: String) { #expect(throws: APIAddress.Refusal.self) { try APIAddress(text) } }
}
