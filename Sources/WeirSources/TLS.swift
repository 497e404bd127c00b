package import NIOCore
internal import NIOSSL
package import WeirFlow
internal import WeirGates
package import WeirSettings

/// TLS of a listener. TLS 1.2 at least; nothing here makes it weaker.
package struct ServerTLS: WeirSettings.Settings {
    package var certificate = ""
    package var key = ""
    package var clientCA: String?
    package var requiresClientCertificate = true

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "cert", \.certificate, required: true, "PEM file with the certificate and the intermediate ones after it."),
        field("key", \.key, required: true, "PEM file with the private key."),
        field(
            "client_ca", \.clientCA,
            "PEM file with the authorities whose client certificates are accepted. Without it clients need none."),
        field(
            "require_client_cert", \.requiresClientCertificate,
            "With `client_ca`: refuse clients that show no certificate. `false` verifies one only where it is shown."),
    ]

    /// Reads the files; blocking, at start only.
    /// - Returns: puts TLS in front of a connection, on its event loop.
    package func securing() throws(SourceFailure) -> @Sendable (any Channel) throws -> Void {
        let context = try context()
        return { try $0.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
    }

    /// Reads the files; blocking, at start only.
    func context() throws(SourceFailure) -> NIOSSLContext {
        let chain = try certificates(certificate).map { NIOSSLCertificateSource.certificate($0) }
        let privateKey: NIOSSLPrivateKey
        do {
            privateKey = try NIOSSLPrivateKey(file: key, format: .pem)
        } catch {
            throw Self.unusable("`\(key)` cannot be read as a private key in PEM, without a passphrase.")
        }
        if let clientCA { _ = try certificates(clientCA) }
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(privateKey))
            configuration.minimumTLSVersion = .tlsv12
            if let clientCA {
                configuration.trustRoots = .file(clientCA)
                configuration.certificateVerification =
                    requiresClientCertificate ? .noHostnameVerification : .optionalVerification
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw Self.unusable("`\(key)` is not the key of `\(certificate)`.")
        }
    }

    private func certificates(_ path: String) throws(SourceFailure) -> [NIOSSLCertificate] {
        let found = (try? NIOSSLCertificate.fromPEMFile(path)) ?? []
        if found.isEmpty { throw Self.unusable("`\(path)` cannot be read as certificates in PEM.") }
        return found
    }

    private static func unusable(_ sentence: String) -> SourceFailure {
        SourceFailure(
            Reason("tls_setup", sentence),
            help: "cert, key and client_ca must be readable PEM files, and the key must belong to the certificate.")
    }

    /// Reads the files once, so that `weir check` finds what is missing. Blocking.
    /// - Parameter key: where these settings stand.
    package func fileMistake(key: String) -> SettingMistake? {
        do throws(SourceFailure) {
            _ = try context()
            return nil
        } catch {
            return SettingMistake(key, String(error.reason.sentence.dropLast()), help: error.help)
        }
    }
}
