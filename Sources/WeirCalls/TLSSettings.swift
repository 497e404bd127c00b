package import NIOSSL
package import WeirSettings

/// TLS towards a server that we call. Its certificate is always verified against the name we called it by: nothing here
/// switches that off. A private authority is given as `ca`.
package struct TLSSettings: Settings, Hashable {
    package enum Version: String, SettingChoice, Sendable {
        case tls12 = "1.2"
        case tls13 = "1.3"

        package var help: String {
            switch self {
            case .tls12: "TLS 1.2 and newer."
            case .tls13: "TLS 1.3 only."
            }
        }
    }

    package var ca = ""
    package var certificate = ""
    package var key = ""
    package var serverName = ""
    package var minVersion = Version.tls12

    package init() {}

    package static let fields: [Field<Self>] = [
        field("ca", \.ca, examples: ["/etc/weir/ca.pem"], "File of PEM certificates to trust instead of the system's."),
        field("certificate", \.certificate, "File with our certificate and its chain, PEM, if the server wants one."),
        field("key", \.key, "File with the private key of `certificate`, PEM, without a passphrase."),
        field("server_name", \.serverName, "Name to ask for and to verify, where it differs from the address."),
        field("min_version", \.minVersion, "Oldest version of TLS."),
    ]

    package func mistakes() -> [SettingMistake] {
        switch (certificate.isEmpty, key.isEmpty) {
        case (false, true):
            [SettingMistake("certificate", "`certificate` needs `key`", help: "add the file of its private key")]
        case (true, false):
            [SettingMistake("key", "`key` needs `certificate`", help: "add the file of our certificate")]
        default: []
        }
    }

    /// Reads the files. Blocking.
    /// - Throws: `TLSFileFailure` that names the setting.
    package func configuration() throws(TLSFileFailure) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = minVersion == .tls13 ? .tlsv13 : .tlsv12
        if !ca.isEmpty {
            let certificates = try TLSSettings.certificates(ca, setting: "ca")
            configuration.trustRoots = .certificates(certificates)
        }
        if !certificate.isEmpty {
            let chain = try TLSSettings.certificates(certificate, setting: "certificate")
            configuration.certificateChain = chain.map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            } catch {
                throw TLSFileFailure(setting: "key", path: key, what: "a private key in PEM, without a passphrase")
            }
        }
        do {
            // Finds a key that does not belong to the certificate.
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFileFailure(setting: "key", path: key, what: "the key of the certificate")
        }
        return configuration
    }

    /// Reads the files once, so that `weir check` finds what is missing. Blocking.
    /// - Parameter key: where these settings stand.
    package func fileMistake(key: String) -> SettingMistake? {
        do throws(TLSFileFailure) {
            _ = try configuration()
            return nil
        } catch {
            return SettingMistake(
                "\(key).\(error.setting)", error.sentence, help: "name a file that this user can read")
        }
    }

    /// For those who call by HTTP.
    package func serverNameMistake(key: String) -> SettingMistake? {
        serverName.isEmpty
            ? nil
            : SettingMistake(
                "\(key).server_name", "HTTP verifies the host of the URL",
                help: "take it out, and put the name into the URL")
    }

    private static func certificates(
        _ path: String, setting: String
    ) throws(TLSFileFailure) -> [NIOSSLCertificate] {
        let found: [NIOSSLCertificate]
        do {
            found = try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            found = []
        }
        if found.isEmpty { throw TLSFileFailure(setting: setting, path: path, what: "certificates in PEM") }
        return found
    }
}

/// A file of the TLS settings that cannot be used.
package struct TLSFileFailure: Error, Hashable {
    package var setting: String
    package var path: String
    /// What it should hold.
    package var what: String

    package var sentence: String { "`\(path)` cannot be read as \(what)" }
}
