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
                ? [SettingMistake("certificate", "`certificate` needs `key` too", help: "add `key: { file: PATH }`")] : []
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
}
