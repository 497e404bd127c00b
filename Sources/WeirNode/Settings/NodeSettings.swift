package import Logging
import WeirDelivery
package import WeirGates
package import WeirIdentity
package import WeirSettings

/// Everything that one configuration may say.
package struct NodeSettings: Settings {
    package var data = "./weir-data"
    package var memory = ByteCount.mebibytes(64)
    package var stopWithin = Duration.seconds(10)
    package var api = APISettings()
    package var log = LogSettings()
    package var sources = SettingMap<SourceEntry>()
    package var destinations = SettingMap<DestinationEntry>()
    package var routes: [RouteSettings] = []
    package var fallback: String?
    package var connectors = SettingMap<ConnectorEntry>()
    package var openCTI: OpenCTISettings?
    package var tunnel: TunnelSettings?
    package var identity: IdentitySettings?
    package var metrics = MetricsSettings()

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "data", \.data, check: { $0.isEmpty ? "must name a directory" : nil },
            "Directory for queues, dead letters and checkpoints; made when it is missing, relative to where Weir is "
                + "started."
        ),
        field(
            "memory", \.memory, range: .mebibytes(1)...(.gibibytes(64)),
            "Events held in memory in all. Gates without a `buffer` of their own share it; one gets 8 MiB at the "
                + "most."),
        field(
            "stop_within", \.stopWithin, range: .zero...(.hours(1)),
            "How long a stop may deliver what is held in memory. What is in a disk queue stays there."),
        field("api", \.api, "The HTTP API, the console and `/metrics`."),
        field("log", \.log, "What is written to standard error."),
        field("sources", \.sources, "Where events come in, by name."),
        field("destinations", \.destinations, "Where events go, by name."),
        field(
            "routes", \.routes, examples: ["[ { name: all, to: archive } ]"],
            "Which events go where, tried from the top. Without routes everything goes to `default`."),
        field(
            "default", \.fallback, examples: ["archive"],
            "The destination of what no final route takes; without it that is dropped, counted as `no_route`."),
        field(
            "connectors", \.connectors,
            "Scheduled imports that Weir runs itself, by name. `schedule` and `queue_threshold` come from "
                + "CONNECTOR_DURATION_PERIOD and CONNECTOR_QUEUE_THRESHOLD where a connector does not set them."),
        field(
            "opencti", \.openCTI,
            "Lets connectors written for OpenCTI in, at `/graphql` of the API's address. Absent: they are not."),
        field(
            "tunnel", \.tunnel,
            "A hub through which clients reach systems behind firewalls, by agents that dial out to it. Absent: none."),
        field(
            "identity", \.identity,
            "Lists and directories that are kept in step, with catches before each change. Absent: none."),
        field("metrics", \.metrics, "What `/metrics` gives."),
    ]
}

/// The HTTP API and console.
package struct APISettings: Settings {
    package var listen = "127.0.0.1:9471"

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "listen", \.listen, examples: ["127.0.0.1:9471", "\"off\""],
            "Address and port, on loopback only as long as there is no sign-in; `off` for none.")
    ]

    package func mistakes() -> [SettingMistake] {
        guard listen != "off" else { return [] }
        do throws(APIAddress.Refusal) {
            _ = try APIAddress(listen)
            return []
        } catch {
            return [SettingMistake("listen", error.message, help: error.help)]
        }
    }
}

/// The operator's log.
package struct LogSettings: Settings {
    package enum Level: String, SettingChoice {
        case trace, debug, info, notice, warning, error

        package var logLevel: Logger.Level {
            switch self {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
        }
    }

    package enum Format: String, SettingChoice {
        case text, json
        package var help: String {
            switch self {
            case .text: "A line for people."
            case .json: "One JSON object a line."
            }
        }
    }

    package var level = Level.notice
    package var format = Format.text

    package init() {}

    package static let fields: [Field<Self>] = [
        field("level", \.level, "The least that is written."),
        field("format", \.format, "How."),
    ]
}
