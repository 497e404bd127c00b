import WeirGates
import WeirNode
import WeirSettings

/// A configuration as the node has one, small: what the readers are tried on.
struct SampleConfiguration: Settings {
    var data = "./weir-data"
    var api = API()
    var destinations = SettingMap<SampleDestination>()
    var routes: [Route] = []

    static let fields: [Field<Self>] = [
        field("data", \.data, "Where queues and state are kept."),
        field("api", \.api, "The API and console."),
        field("destinations", \.destinations, "Where data goes, by name."),
        field("routes", \.routes, "Which events go where, in order."),
    ]

    struct API: Settings {
        var listen = "127.0.0.1:9471"
        var token: Secret?
        static let fields: [Field<Self>] = [
            field("listen", \.listen, "Address and port."),
            field("token", \.token, "What callers must show."),
        ]
    }

    struct Route: Settings {
        var name = ""
        var when: ExpressionText = "true"
        var to: OneOrMany<String> = []
        var final = true
        static let fields: [Field<Self>] = [
            field("name", \.name, required: true, "For messages."),
            field("when", \.when, "Which events."),
            field("to", \.to, required: true, "Destinations."),
            field("final", \.final, "Whether later routes are skipped."),
        ]
    }
}

enum OnBackpressure: String, SettingChoice {
    case block, drop, queue
    var help: String {
        switch self {
        case .block: "Hold the sender back."
        case .drop: "Drop and count."
        case .queue: "Keep on disk."
        }
    }
}

struct SampleDelivery: Settings {
    var onBackpressure = OnBackpressure.block
    var queue: Queue?
    var buffer = ByteCount.megabytes(8)

    static let fields: [Field<Self>] = [
        field("on_backpressure", \.onBackpressure, "What happens when the receiver is full."),
        field("queue", \.queue, "Keeps on disk what the receiver cannot take."),
        field("buffer", \.buffer, range: .kilobytes(64)...(.gigabytes(1)), "Memory for what waits."),
    ]

    struct Queue: Settings {
        var sizeMost = ByteCount.gigabytes(5)
        var compress = Compress.none
        static let fields: [Field<Self>] = [
            field("max_size", \.sizeMost, "Most on disk."), field("compress", \.compress, "How records are packed."),
        ]
        enum Compress: String, SettingChoice { case none, lz4, zstd }
    }

    func mistakes() -> [SettingMistake] {
        queue != nil && onBackpressure != .queue
            ? [
                SettingMistake(
                    "queue", "`queue` is set, but `on_backpressure` is not `queue`",
                    help: "write `on_backpressure: queue`", severity: .warning)
            ]
            : []
    }
}

struct SampleHTTP: Settings {
    var url = ""
    var urls: [Endpoint] = []
    var concurrency = 5
    var timeout = Duration.seconds(30)
    var compress = true
    var share = Percent(100)
    var drain: ByteRate?
    var token = Secret()
    var headers: [String: String] = [:]
    var country: String?
    var most: Int?
    var ratio: Double?

    static let fields: [Field<Self>] = [
        field("url", \.url, check: isURL, examples: ["http://10.0.0.5/in"], "Where requests go."),
        field("urls", \.urls, "Several receivers."),
        field("concurrency", \.concurrency, range: 1...64, "Requests in flight before the gate holds back."),
        field("timeout", \.timeout, range: .milliseconds(1)..., "How long one request may take."),
        field("compress", \.compress, aliases: ["gzip"], "Compress bodies."),
        field("share", \.share, "Part of the events."),
        field("drain", \.drain, "Speed of catching up."),
        field("token", \.token, "Bearer token."),
        field("headers", \.headers, "Added to each request."),
        field("country", \.country, "Where it stands."),
        field("most", \.most, range: 1..., deprecated: "use `buffer`", "Old limit."),
        field("ratio", \.ratio, range: 0...1, "A part."),
    ]

    static let isURL: @Sendable (String) -> String? = {
        $0.isEmpty || $0.hasPrefix("http://") || $0.hasPrefix("https://") ? nil : "must start with http:// or https://"
    }

    func mistakes() -> [SettingMistake] {
        !url.isEmpty && !urls.isEmpty
            ? [SettingMistake("urls", "`url` and `urls` exclude each other", help: "keep one of them")] : []
    }

    struct Endpoint: Settings {
        var url = ""
        var weight = 1
        static let fields: [Field<Self>] = [
            field("url", \.url, required: true, check: isURL, "Where requests go."),
            field("weight", \.weight, range: 1...100, "Its share of the load."),
        ]
    }
}

struct SampleFiles: Settings {
    var path = ""
    static let fields: [Field<Self>] = [field("path", \.path, required: true, aliases: ["directory"], "The folder.")]
}

struct SampleDestination: SettingUnion {
    static let catalog = SettingCatalog(
        noun: "destination", common: SampleDelivery.self,
        kinds: [
            SettingKind("http", SampleHTTP.self, "Requests to an HTTP receiver."),
            SettingKind("filesystem", SampleFiles.self, aliases: ["files"], "Files in a folder."),
            SettingKind("drop", NoSettings.self, "Nothing is kept."),
        ])
    var typed: TypedSettings<SampleDelivery>
    init(_ typed: TypedSettings<SampleDelivery>) { self.typed = typed }
}

/// Reads a text as the node does: YAML, environment, fields.
func readSample(
    _ text: String, environment: [String: String] = [:], secrets: (any SecretResolver)? = nil
) -> (configuration: SampleConfiguration?, problems: [SettingProblem], provenance: SettingProvenance) {
    let yaml = YAMLReader().read(text: text, file: "weir.yaml")
    guard let node = yaml.node else { return (nil, yaml.problems, SettingProvenance()) }
    let overlaid = EnvironmentReader(environment).overlay(node, shape: SampleConfiguration.shape)
    var reading = SettingReading(secrets: secrets)
    for problem in yaml.problems + overlaid.problems { reading.note(problem) }
    let configuration = overlaid.node.flatMap { SampleConfiguration.read($0, &reading) }
    return (reading.errors == 0 ? configuration : nil, reading.sortedProblems(), reading.provenance)
}
