import Testing
import WeirGates
import WeirNode
import WeirSettings

@Suite("Environment reader")
struct ReadersEnvironmentTests {
    private static let file = """
        destinations:
          siem-http:
            type: http
            url: http://a/
            headers: { X-Team: blue }
            urls: []
          archive: { type: filesystem, path: ./archive }
        routes:
          - { name: rest, to: archive }
        """

    @Test("A variable sets a value and is its origin; two underscores are a level, dashes and case do not matter")
    func setsValues() throws {
        let (configuration, problems, provenance) = readSample(
            ReadersEnvironmentTests.file,
            environment: [
                "WEIR__DESTINATIONS__SIEM_HTTP__BUFFER": "16MB", "weir__destinations__archive__path": "/srv/x",
                "WEIR__DESTINATIONS__SIEM_HTTP__HEADERS__X_TEAM": "red", "WEIR__DESTINATIONS__SIEM_HTTP__COUNTRY": "no",
                "WEIR__ROUTES__0__TO": #"["archive", "siem-http"]"#, "WEIR__DATA": "/var/lib/weir", "PATH": "/bin",
                "WEIR_CONFIG": "x",
                "WEIR__DESTINATIONS__SIEM_HTTP__QUEUE__MAX_SIZE": "1GB",
                "WEIR__DESTINATIONS__SIEM_HTTP__ON_BACKPRESSURE": "queue",
                "WEIR__API__TOKEN": "hunter2",
            ])
        #expect(problems.isEmpty, "\(problems)")
        let read = try #require(configuration)
        let siem = try #require(read.destinations["siem-http"]?.typed)
        let http = try #require(siem.own as? SampleHTTP)
        #expect(siem.common.buffer == .megabytes(16))
        #expect(siem.common.queue?.sizeMost == .gigabytes(1))
        #expect(http.headers == ["X-Team": "red"])
        #expect(http.country == "no")
        #expect((read.destinations["archive"]?.typed.own as? SampleFiles)?.path == "/srv/x")
        #expect(read.routes.first?.to.values == ["archive", "siem-http"])
        #expect(read.data == "/var/lib/weir")
        #expect(read.api.token?.text == "hunter2")
        #expect(
            provenance.origin(of: "destinations.siem-http.buffer").description
                == "WEIR__DESTINATIONS__SIEM_HTTP__BUFFER")
        #expect(provenance.origin(of: "destinations.siem-http.url").description == "weir.yaml:4")
    }

    @Test("A destination may come from the environment alone when its type does")
    func wholeDestination() throws {
        let (configuration, problems, _) = readSample(
            "", environment: ["WEIR__DESTINATIONS__BIN__BUFFER": "1MB", "WEIR__DESTINATIONS__BIN__TYPE": "drop"])
        #expect(problems.isEmpty)
        #expect(configuration?.destinations["bin"]?.typed.common.buffer == .megabytes(1))
    }

    @Test("A group and a list of groups are JSON text, and null takes a value away")
    func jsonText() throws {
        let (configuration, problems, _) = readSample(
            ReadersEnvironmentTests.file,
            environment: [
                "WEIR__DESTINATIONS__SIEM_HTTP__URLS": #"[{"url": "http://b/", "weight": 2}]"#,
                "WEIR__DESTINATIONS__SIEM_HTTP__URL": "null", "WEIR__API": #"{"listen": "127.0.0.1:1"}"#,
            ])
        // `url` is text, and nothing is no text: the variable is named.
        #expect(
            problems.map(\.description) == [
                """
                WEIR__DESTINATIONS__SIEM_HTTP__URL: error: nothing is written after `url` (write text, in \
                quotes when it holds `: ` or ` #`)
                """
            ])
        #expect(configuration == nil)
    }

    @Test("A secret may be a reference below its name")
    func secretReference() throws {
        let (configuration, problems, _) = readSample(
            "", environment: ["WEIR__API__TOKEN__FILE": "/run/credentials/weir/token"])
        #expect(problems.isEmpty)
        #expect(configuration?.api.token?.reference == .file("/run/credentials/weir/token"))
    }

    @Test(
        "What fits nothing is an error with a suggestion",
        arguments: [
            (
                "WEIR__DESTINATION__SIEM__LIMIT", "1",
                "`destination` is not a setting of the configuration (did you mean `WEIR__DESTINATIONS`?)"
            ),
            (
                "WEIR__DESTINATIONS__SIEM_HTPP__BUFFER", "1MB",
                "there is no destination `siem_htpp` (did you mean `WEIR__DESTINATIONS__SIEM_HTTP`?)"
            ),
            (
                "WEIR__DESTINATIONS__OTHER__BUFFER", "1MB",
                "there is no destination `other` (set `WEIR__DESTINATIONS__OTHER__TYPE` too to make one)"
            ),
            (
                "WEIR__DESTINATIONS__SIEM_HTTP__BUFER", "1MB",
                """
                `bufer` is not a setting of `destinations.siem-http` (did you mean \
                `WEIR__DESTINATIONS__SIEM_HTTP__BUFFER`?)
                """
            ),
            (
                "WEIR__DESTINATIONS__SIEM_HTTP__BUFFER__X", "1MB",
                """
                `destinations.siem-http.buffer` is a single value: nothing is below it (write \
                `WEIR__DESTINATIONS__SIEM_HTTP__BUFFER`)
                """
            ),
            (
                "WEIR__ROUTES__7__TO", "x",
                "`routes` has no item `7` (items are counted from 0; set the whole list as JSON text)"
            ),
            ("WEIR__ROUTES", "rest", "`routes` wants JSON text (write `[\"a\", \"b\"]`)"),
            ("WEIR__ROUTES", "[rest", "the value is not JSON (write `[\"a\", \"b\"]` or `{\"key\": \"value\"}`)"),
            ("WEIR__", "x", "this names no setting (write `WEIR__SECTION__NAME__KEY`, two underscores between levels)"),
            (
                "WEIR__DATA____X", "x",
                "this names no setting (write `WEIR__SECTION__NAME__KEY`, two underscores between levels)"
            ),
            (
                "WEIR__DESTINATIONS__SIEM_HTTP__CONCURRENCY", "many",
                "`concurrency` must be a whole number, not `many` (write a whole number such as `5`)"
            ),
            (
                "WEIR__DESTINATIONS__ARCHIVE__CONCURRENCY", "5",
                """
                `concurrency` is not a setting of `destinations.archive` (known: `buffer`, `on_backpressure`, \
                `path`, `queue`, `type`)
                """
            ),
        ])
    func refuses(name: String, value: String, message: String) {
        let (configuration, problems, _) = readSample(ReadersEnvironmentTests.file, environment: [name: value])
        #expect(configuration == nil)
        #expect(problems.map(\.description) == ["\(name): error: \(message)"])
    }

    @Test("Two variables for the same setting are refused, and names that fit twice too")
    func ambiguous() {
        let twice = readSample("", environment: ["WEIR__DATA": "a", "weir__data": "b"]).problems
        #expect(twice.map(\.message) == ["this is the same as `WEIR__DATA`"])
        let text = "destinations: { a-b: { type: drop }, a_b: { type: drop } }"
        let fits = readSample(text, environment: ["WEIR__DESTINATIONS__A_B__BUFFER": "1MB"]).problems
        #expect(fits.map(\.message) == ["`a_b` fits `a-b` and `a_b`"])
    }

    @Test("No variable whatever crashes the reader")
    func randomVariables() {
        let parts = [
            "DESTINATIONS", "SIEM_HTTP", "ROUTES", "0", "TOKEN", "FILE", "HEADERS", "", "_", "TO", "QUEUE", "é", "API",
            "99999999999999999999",
        ]
        let values = ["", "null", "[", "{}", "[]", "8MB", "{\"a\": [1]}", "*a", "\u{0}", "- a"]
        var state: UInt64 = 9
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for _ in 0..<3_000 {
            let name = "WEIR__" + (0..<next(6)).map { _ in parts[next(parts.count)] }.joined(separator: "__")
            _ = readSample(ReadersEnvironmentTests.file, environment: [name: values[next(values.count)]])
        }
    }
}
