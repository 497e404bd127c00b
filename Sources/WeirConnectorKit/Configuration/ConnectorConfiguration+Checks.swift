internal import Foundation
internal import WeirGates

extension ConnectorConfiguration {
    static func checkedAddress(_ text: String, _ source: inout ConfigurationSource) -> String {
        guard !text.isEmpty else { return text }
        var address = text
        while address.hasSuffix("/") { address.removeLast() }
        guard let url = URL(string: address), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host?.isEmpty == false
        else {
            let place = source.find("OPENCTI_URL", "opencti", "url")?.place
            source.complain(
                "OPENCTI_URL is `\(text.clipped)`, which is no address", at: place,
                help: "write http:// or https://, a host and a port, such as http://127.0.0.1:9471")
            return address
        }
        return address
    }

    /// `name:value;name:value`.
    static func headers(_ source: inout ConfigurationSource) -> [(name: String, value: String)] {
        guard let found = source.find("OPENCTI_CUSTOM_HEADERS", "opencti", "custom_headers") else { return [] }
        var headers: [(name: String, value: String)] = []
        for item in found.text.split(separator: ";") {
            let halves = item.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else {
                // The text is not repeated: there may be a secret in it.
                source.complain(
                    "OPENCTI_CUSTOM_HEADERS has a part without a colon", at: found.place,
                    help: "write `name:value;name:value`")
                return []
            }
            let parts = halves.map { $0.trimmingCharacters(in: .whitespaces) }
            headers.append((name: parts[0], value: parts[1]))
        }
        return headers
    }

    /// pycti verifies nothing unless told to; here verification stays on.
    static func trust(isSecure: Bool, _ source: inout ConfigurationSource) -> String? {
        guard let found = source.find("OPENCTI_SSL_VERIFY", "opencti", "ssl_verify") else { return nil }
        switch ConfigurationSource.flag(found.text) {
        case true: return nil
        case false:
            guard isSecure else { return nil }
            source.complain(
                "OPENCTI_SSL_VERIFY is false, and certificates are always verified", at: found.place,
                help: "remove it, or write the path of a file with the certificates to trust")
            return nil
        case nil:
            guard FileManager.default.isReadableFile(atPath: found.text) else {
                source.complain(
                    "OPENCTI_SSL_VERIFY is `\(found.text.clipped)`, which is no file that can be read", at: found.place,
                    help: "write true, or the path of a file with the certificates to trust")
                return nil
            }
            return found.text
        }
    }

    static func queueProtocol(_ source: inout ConfigurationSource) -> QueueProtocol? {
        let found =
            source.find("CONNECTOR_QUEUE_PROTOCOL", "connector", "queue_protocol")
            ?? source.find("QUEUE_PROTOCOL", "connector", "queue_protocol")
        guard let found else { return nil }
        if let known = QueueProtocol(rawValue: found.text.lowercased()) { return known }
        source.complain(
            "CONNECTOR_QUEUE_PROTOCOL is `\(found.text.clipped)`", at: found.place, help: "write amqp or api")
        return nil
    }

    /// What pycti does and this does not: better refused than passed over.
    static func refuseWhatIsNotThere(_ source: inout ConfigurationSource) {
        let absent: [(variable: String, key: String, standard: Bool)] = [
            ("CONNECTOR_SEND_TO_QUEUE", "send_to_queue", true),
            ("CONNECTOR_SEND_TO_DIRECTORY", "send_to_directory", false),
            ("CONNECTOR_SEND_TO_S3", "send_to_s3", false),
            ("CONNECTOR_VALIDATE_BEFORE_IMPORT", "validate_before_import", false),
            ("CONNECTOR_AUTO_CREATE_SERVICE_ACCOUNT", "auto_create_service_account", false),
            ("CONNECTOR_EXPOSE_METRICS", "expose_metrics", false),
        ]
        for setting in absent {
            let flag = source.flag(setting.variable, "connector", setting.key, default: setting.standard)
            guard flag != setting.standard else { continue }
            source.complain(
                "\(setting.variable) is \(flag), which this library does not do",
                at: source.find(setting.variable, "connector", setting.key)?.place, help: "remove it")
        }
        if let type = source.find("CONNECTOR_TYPE", "connector", "type"), type.text != "EXTERNAL_IMPORT" {
            source.complain(
                "CONNECTOR_TYPE is `\(type.text.clipped)`, and this library makes imports only", at: type.place,
                help: "write EXTERNAL_IMPORT, or remove it")
        }
    }
}

/// What a person may set instead of what the platform says about its broker.
struct BrokerOverrides: Sendable {
    var host: String?
    var port: Int?
    var vhost: String?
    var user: String?
    var password: String?
    var usesTLS: Bool?
    var trustFile: String?
    /// Our own certificate and its key, where the broker wants one.
    var certificateFile: String?
    var keyFile: String?

    init(_ source: inout ConfigurationSource) {
        func text(_ variable: String, _ key: String) -> String? { source.find(variable, "mq", key)?.text }
        host = text("MQ_HOST", "host")
        vhost = text("MQ_VHOST", "vhost")
        user = text("MQ_USER", "user")
        password = text("MQ_PASS", "pass")
        trustFile = text("MQ_USE_SSL_CA", "use_ssl_ca")
        certificateFile = text("MQ_USE_SSL_CERT", "use_ssl_cert")
        keyFile = text("MQ_USE_SSL_KEY", "use_ssl_key")
        if (certificateFile == nil) != (keyFile == nil) {
            source.complain(
                "MQ_USE_SSL_CERT and MQ_USE_SSL_KEY belong together, and only one is set",
                at: (source.find("MQ_USE_SSL_CERT", "mq", "use_ssl_cert")
                    ?? source.find("MQ_USE_SSL_KEY", "mq", "use_ssl_key"))?.place,
                help: "write the path of a PEM file into both, or remove both")
        }
        port = source.number("MQ_PORT", "mq", "port", in: 1...65_535)
        if source.find("MQ_USE_SSL", "mq", "use_ssl") != nil {
            usesTLS = source.flag("MQ_USE_SSL", "mq", "use_ssl", default: false)
        }
    }
}
