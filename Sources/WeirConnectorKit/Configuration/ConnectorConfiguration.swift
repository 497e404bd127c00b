internal import Foundation
internal import WeirGates

/// What a connector needs to know, under the names that pycti uses: each setting is a variable of the environment or a
/// key in a section of `config.yml`. The environment wins.
///
/// | variable | `config.yml` | default |
/// | --- | --- | --- |
/// | `OPENCTI_URL` | `opencti.url` | must be set |
/// | `OPENCTI_TOKEN` | `opencti.token` | must be set |
/// | `OPENCTI_SSL_VERIFY` | `opencti.ssl_verify` | true; or the path of a file with the certificates to trust |
/// | `OPENCTI_CUSTOM_HEADERS` | `opencti.custom_headers` | none; `name:value;name:value` |
/// | `CONNECTOR_ID` | `connector.id` | must be set; keep it, the state belongs to it |
/// | `CONNECTOR_NAME` | `connector.name` | must be set |
/// | `CONNECTOR_SCOPE` | `connector.scope` | `not-applicable`; a list with commas |
/// | `CONNECTOR_DURATION_PERIOD` | `connector.duration_period` | none; ISO 8601, `0` is run and terminate |
/// | `CONNECTOR_QUEUE_THRESHOLD` | `connector.queue_threshold` | 500, in MB (10⁶ bytes) |
/// | `CONNECTOR_RUN_AND_TERMINATE` | `connector.run_and_terminate` | false |
/// | `CONNECTOR_GATE_FIRST_RUN` | `connector.gate_first_run` | false; true: the first run has no exemption (ours) |
/// | `CONNECTOR_LOG_LEVEL` | `connector.log_level` | `info`; or `debug`, `warning`, `error` |
/// | `CONNECTOR_QUEUE_PROTOCOL` | `connector.queue_protocol` | `amqp` where the platform offers it, else `api` |
/// | `MQ_HOST`, `MQ_PORT`, `MQ_VHOST`, `MQ_USER`, `MQ_PASS`, `MQ_USE_SSL` | `mq.host`, … | as the platform says |
/// | `MQ_USE_SSL_CA` | `mq.use_ssl_ca` | none; a file with the certificates to trust |
/// | `MQ_USE_SSL_CERT`, `MQ_USE_SSL_KEY` | `mq.use_ssl_cert`, … | none; files with our own certificate and its key |
///
/// Certificates are always verified: `OPENCTI_SSL_VERIFY=false` is refused for an `https` address.
public struct ConnectorConfiguration: Sendable {
    /// How bundles travel.
    public enum QueueProtocol: String, Sendable, Hashable, CaseIterable {
        case amqp, api
    }

    /// The platform's address, without a slash at its end.
    public let url: String
    public let id: String
    public let name: String
    public let scope: [String]
    /// As it was written; `nil` where none was.
    public let durationPeriod: String?
    /// MB of 10⁶ bytes.
    public var queueThreshold: Double { threshold.megabytes }
    public let isRunAndTerminate: Bool
    public let gatesFirstRun: Bool
    public let logLevel: ConnectorLog.Level
    /// `nil`: what the platform offers.
    public let queueProtocol: QueueProtocol?

    let token: String
    let customHeaders: [(name: String, value: String)]
    /// A file with certificates, beside those that the machine trusts.
    let trustFile: String?
    let threshold: QueueThreshold
    let broker: BrokerOverrides
    private let source: ConfigurationSource

    /// Reads the environment, and a file where there is one.
    /// - Parameters:
    ///   - file: a path; that the file is missing is no mistake.
    ///   - environment: the process's own, unless given.
    /// - Throws: `ConfigurationError` with all that is wrong.
    public static func load(
        file: String = "config.yml", environment: [String: String]? = nil
    ) throws(ConfigurationError) -> ConnectorConfiguration {
        var yaml: String?
        if FileManager.default.fileExists(atPath: file) {
            guard let bytes = FileManager.default.contents(atPath: file),
                let text = String(data: bytes, encoding: .utf8)
            else {
                throw ConfigurationError([
                    .init(
                        message: "it cannot be read as UTF-8", place: file,
                        help: "look at its permissions and its encoding")
                ])
            }
            yaml = text
        }
        return try ConnectorConfiguration(
            file: file, yaml: yaml, environment: environment ?? ProcessInfo.processInfo.environment)
    }

    /// - Parameters:
    ///   - file: the name by which the file is spoken of.
    ///   - yaml: what it holds.
    /// - Throws: `ConfigurationError` with all that is wrong.
    public init(
        file: String = "config.yml", yaml: String?, environment: [String: String]
    ) throws(ConfigurationError) {
        var source = ConfigurationSource(environment: environment, file: file, yaml: yaml)
        let address = source.required("OPENCTI_URL", "opencti", "url", example: "http://127.0.0.1:9471")
        url = ConnectorConfiguration.checkedAddress(address, &source)
        token = source.required("OPENCTI_TOKEN", "opencti", "token", example: "a token that the platform knows")
        if token == "ChangeMe" {
            source.complain("OPENCTI_TOKEN is still ChangeMe", at: nil, help: "write the token that the platform knows")
        }
        id = source.required("CONNECTOR_ID", "connector", "id", example: "0b5e0f26-7f0a-4e0e-9c4b-6c4b3a9d6e11")
        name = source.required("CONNECTOR_NAME", "connector", "name", example: "`Known vulnerabilities`")
        let scopes = source.find("CONNECTOR_SCOPE", "connector", "scope")?.text ?? "not-applicable"
        scope = scopes.split(separator: ",").map { $0.filter { $0 != " " } }
        durationPeriod = source.find("CONNECTOR_DURATION_PERIOD", "connector", "duration_period")?.text
        _ = source.value("CONNECTOR_DURATION_PERIOD", "connector", "duration_period") {
            text throws(UnitTextProblem) in try Period(iso: text)
        }
        threshold =
            source.value("CONNECTOR_QUEUE_THRESHOLD", "connector", "queue_threshold") {
                text throws(UnitTextProblem) in try QueueThreshold(text: text)
            } ?? .standard
        isRunAndTerminate = source.flag(
            "CONNECTOR_RUN_AND_TERMINATE", "connector", "run_and_terminate", default: false)
        gatesFirstRun = source.flag("CONNECTOR_GATE_FIRST_RUN", "connector", "gate_first_run", default: false)
        logLevel =
            source.value("CONNECTOR_LOG_LEVEL", "connector", "log_level") {
                text throws(UnitTextProblem) in try ConnectorLog.Level(text: text)
            } ?? .info
        customHeaders = ConnectorConfiguration.headers(&source)
        trustFile = ConnectorConfiguration.trust(isSecure: url.hasPrefix("https:"), &source)
        broker = BrokerOverrides(&source)
        queueProtocol = ConnectorConfiguration.queueProtocol(&source)
        ConnectorConfiguration.refuseWhatIsNotThere(&source)
        guard source.problems.isEmpty else { throw ConfigurationError(source.problems) }
        self.source = source
    }

    /// A setting of the connector's own, by the same rules.
    /// - Returns: its text, `nil` when it is nowhere or empty.
    public func text(_ variable: String, section: String, key: String) -> String? {
        source.find(variable, section, key)?.text
    }

    /// A setting of the connector's own that must be there.
    /// - Throws: `ConfigurationError` that says where it could be set.
    public func requiredText(
        _ variable: String, section: String, key: String, example: String
    ) throws(ConfigurationError) -> String {
        var source = source
        let text = source.required(variable, section, key, example: example)
        guard source.problems.isEmpty else { throw ConfigurationError(source.problems) }
        return text
    }

    /// A mistake in a setting of the connector's own, with the place where it was read.
    public func mistake(_ variable: String, section: String, key: String, _ what: String, help: String)
        -> ConfigurationError
    {
        let place = source.find(variable, section, key)?.place
        return ConfigurationError([.init(message: "\(variable): \(what)", place: place, help: help)])
    }
}
