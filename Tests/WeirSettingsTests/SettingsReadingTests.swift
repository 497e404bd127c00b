import Testing
import WeirGates
import WeirSettings

/// What an author of a destination writes: the example of docs/design/settings.md.
struct Sample {
    enum OnFull: String, SettingChoice {
        case block
        case dropNewest = "drop_newest"

        var help: String {
            switch self {
            case .block: "Wait for room."
            case .dropNewest: "Drop what comes last, counted."
            }
        }
    }

    struct TLS: WeirSettings.Settings {
        var ca: String?
        var certificate: String?
        var key: Secret?

        static let fields: [Field<Self>] = [
            field("ca", \.ca, "File with the certificates to trust."),
            field("certificate", \.certificate, "File with our certificate."),
            field("key", \.key, "Our private key."),
        ]

        func mistakes() -> [SettingMistake] {
            certificate != nil && key == nil
                ? [SettingMistake("certificate", "`certificate` needs `key` too", help: "add `key: { file: PATH }`")]
                : []
        }
    }

    struct Endpoint: WeirSettings.Settings {
        var url = ""
        var weight = 1

        static let fields: [Field<Self>] = [
            field("url", \.url, required: true, "Where requests go."),
            field("weight", \.weight, range: 1...100, "Its share of the events."),
        ]
    }

    struct Settings: WeirSettings.Settings {
        var url = ""
        var concurrency = 5
        var timeout = Duration.seconds(30)
        var buffer = ByteCount.megabytes(8)
        var onFull = OnFull.block
        var tls: TLS?
        var urls: [Endpoint] = []
        var headers: [String: String] = [:]
        var when: ExpressionText = "true"
        var token = Secret()
        var compress = false
        var ratio: Double?
        var most: Int?

        static let fields: [Field<Self>] = [
            field("url", \.url, required: true, check: isURL, examples: ["http://10.0.0.5/in"], "Where requests go."),
            field("concurrency", \.concurrency, range: 1...64, "Requests in flight before the gate holds back."),
            field("timeout", \.timeout, range: .milliseconds(1)..., "How long one request may take."),
            field("buffer", \.buffer, range: .kilobytes(1)...(.gigabytes(1)), "Memory for what waits."),
            field("on_full", \.onFull, "What happens when the buffer is full."),
            field("tls", \.tls, "TLS, when set."),
            field("urls", \.urls, "More endpoints."),
            field("headers", \.headers, "Added to each request."),
            field("when", \.when, "Which events to take."),
            field("token", \.token, "Sent as bearer token."),
            field("compress", \.compress, aliases: ["gzip"], "Compress bodies."),
            field("ratio", \.ratio, range: 0...1, "A share."),
            field("most", \.most, range: 1..., deprecated: "use `buffer`", "Old limit."),
        ]

        static let isURL: @Sendable (String) -> String? = {
            $0.hasPrefix("http") ? nil : "must start with http:// or https://"
        }
    }
}

@Suite("Reading settings")
struct SettingsReadingTests {
    @Test("An empty group with a required field is one problem, and nothing is returned")
    func requiredIsMissing() {
        var problems: [SettingProblem] = []
        let read = Sample.Settings.read(from: nil, path: "destinations.siem", problems: &problems)
        #expect(read == nil)
        #expect(problems.map(\.message) == ["`url` is missing from `destinations.siem`"])
    }

    @Test("What is written replaces the defaults, all else keeps them")
    func readsValues() throws {
        var problems: [SettingProblem] = []
        let node = SettingNode.map([
            "url": .text("http://10.0.0.5/in"), "concurrency": .text("7"), "timeout": .text("PT1M30S"),
            "on_full": .text("drop_newest"), "tls": .map(["ca": .text("ca.pem")]),
            "urls": .list([.map(["url": .text("http://b")]), .map(["url": .text("http://c"), "weight": .text("2")])]),
            "headers": .map(["X-Country": .text("no")]), "when": .text("event.severity <= 3"),
        ])
        let read = try #require(Sample.Settings.read(from: node, problems: &problems))
        #expect(problems.isEmpty)
        #expect(read.concurrency == 7)
        #expect(read.timeout == .seconds(90))
        #expect(read.buffer == .megabytes(8))
        #expect(read.onFull == .dropNewest)
        #expect(read.tls?.ca == "ca.pem")
        #expect(read.urls.map(\.weight) == [1, 2])
        #expect(read.headers == ["X-Country": "no"])
        #expect(read.when.text == "event.severity <= 3")
        #expect(read.when.path == "when")
    }

    @Test("Mistakes that no single field can see are told when all fields are fine, at their key's place")
    func mistakes() {
        var reading = SettingReading()
        let place = SettingOrigin.file(SettingPlace(file: "f", line: 7, column: 3))
        let tls = SettingNode(
            .map([SettingEntry(key: "certificate", keyOrigin: place, value: .text("c.pem", origin: place))]))
        let node = SettingNode.map(["url": .text("http://a"), "tls": tls])
        #expect(Sample.Settings.read(node, &reading) == nil)
        #expect(
            reading.sortedProblems().map(\.description) == [
                "f:7:3: error: `certificate` needs `key` too (add `key: { file: PATH }`)"
            ])
        #expect(reading.sortedProblems().map(\.path) == ["tls.certificate"])
    }

    @Test("Old names and fields that will go away warn, and still count")
    func deprecations() {
        var problems: [SettingProblem] = []
        let node = SettingNode.map(["url": .text("http://a"), "gzip": .text("true"), "most": .text("3")])
        let read = Sample.Settings.read(from: node, problems: &problems)
        #expect(read?.compress == true)
        #expect(read?.most == 3)
        #expect(problems.map(\.message) == ["`gzip` is an old name", "`most` will go away in a later version"])
        #expect(problems.allSatisfy { $0.severity == .warning })
    }

    @Test("More problems than anybody reads are counted, not kept")
    func manyProblems() {
        var problems: [SettingProblem] = []
        let entries = (0..<50_000).map { SettingEntry(key: "key\($0)", value: .text("x")) }
        #expect(Sample.Settings.read(from: SettingNode(.map(entries)), problems: &problems) == nil)
        #expect(problems.count == SettingReading.problemsKept + 1)
        #expect(problems.last?.message == "49801 more problems are not shown")
    }

    @Test(
        "An expression's problem points at the character in its line, plain or quoted",
        arguments: [
            ("when: a <= b", 7, false), ("when: \"a <= b\"", 8, true),
        ])
    func expressionPlace(line: String, column: Int, isQuoted: Bool) throws {
        var reading = SettingReading()
        let place = SettingPlace(file: "f", line: 3, column: 7, length: 6, text: line)
        let node = SettingNode.map([
            "url": .text("http://a"), "when": .text("a <= b", quoted: isQuoted, origin: .file(place)),
        ])
        let read = try #require(Sample.Settings.read(node, &reading))
        let problem = read.when.problem("no such thing", offset: 2)
        #expect(problem.origin.place?.column == column + 2)
        #expect(problem.path == "when")
        #expect(read.when.problem("all of it").origin.place?.column == 7)
    }

    /// The same key in the kind's own settings and in the common ones.
    struct Common: WeirSettings.Settings {
        var concurrency = 5
        var buffer = ByteCount.megabytes(8)
        static let fields: [Field<Self>] = [
            field("concurrency", \.concurrency, range: 1...1_000, "All endpoints."),
            field("buffer", \.buffer, "Memory."),
        ]
    }

    @Test("A key that kind and common settings both declare is read by both, and complained about once")
    func sharedKeys() throws {
        let catalog = SettingCatalog(
            noun: "destination", common: Common.self, kinds: [SettingKind("http", Sample.Settings.self, "HTTP.")])
        var reading = SettingReading()
        let node = SettingNode.map(["type": .text("http"), "url": .text("http://a"), "concurrency": .text("9")])
        let read = try #require(catalog.read(node, &reading))
        #expect(read.common.concurrency == 9)
        #expect((read.own as? Sample.Settings)?.concurrency == 9)
        var other = SettingReading()
        let bad = SettingNode.map(["type": .text("http"), "url": .text("http://a"), "concurrency": .text("x")])
        #expect(catalog.read(bad, &other) == nil)
        #expect(other.problems.count == 1)
    }

    @Test("No tree whatever crashes the reading, and what is refused has a problem")
    func randomTrees() {
        var state: UInt64 = 4
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let words = [
            "url", "http://a", "5", "-1", "8MB", "30s", "true", "", "block", "99999999999999999999999", "1e999",
            "\u{0}", "é", "tls", "urls", "token", "file", "x",
        ]
        let keys = [
            "url", "concurrency", "timeout", "buffer", "on_full", "tls", "urls", "headers", "when", "token", "compress",
            "gzip", "ratio", "most", "key", "file", "env", "weight", "zzz",
        ]
        func tree(_ depth: Int) -> SettingNode {
            switch next(depth > 4 ? 2 : 5) {
            case 0: return SettingNode(.null)
            case 1, 2: return .text(words[next(words.count)], quoted: next(2) == 0)
            case 3: return .list((0..<next(4)).map { _ in tree(depth + 1) })
            default:
                var seen: Set<String> = []
                let names = (0..<next(8)).map { _ in keys[next(keys.count)] }.filter { seen.insert($0).inserted }
                return SettingNode(.map(names.map { SettingEntry(key: $0, value: tree(depth + 1)) }))
            }
        }
        for _ in 0..<20_000 {
            var problems: [SettingProblem] = []
            let read = Sample.Settings.read(from: tree(0), problems: &problems)
            #expect((read == nil) == problems.contains { $0.severity == .error })
        }
    }

    @Test("A mistake about a key that nobody wrote points at the key of the group")
    func mistakePlace() {
        var provenance = SettingProvenance()
        let key = SettingOrigin.file(SettingPlace(file: "f", line: 2, column: 3))
        let value = SettingOrigin.file(SettingPlace(file: "f", line: 3, column: 5))
        provenance.note("destinations.siem", value, holder: key)
        provenance.note("destinations.siem.type", value, holder: value)
        #expect(provenance.problem(SettingMistake("url", "x"), in: "destinations.siem").origin == key)
        #expect(provenance.problem(SettingMistake("type", "x"), in: "destinations.siem").origin == value)
        #expect(provenance.problem(SettingMistake("", "x"), in: "destinations.siem").origin == value)
        #expect(provenance.problem(SettingMistake("url", "x"), in: "sources.other").origin == .standard)
        #expect(provenance.origin(of: "destinations.siem.url") == .standard)
    }
}
