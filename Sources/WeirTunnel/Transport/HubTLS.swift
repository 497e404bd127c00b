internal import NIOSSL
internal import WeirWorld

/// TLS of the hub's door: 1.3 only. A certificate of an agent is verified where one is shown; who shows none must have
/// a token.
enum HubTLS {
    /// Blocking.
    static func context(
        _ settings: HubDoor.Settings, _ trust: HubTrust?, at now: WallTime
    ) throws(TunnelFailure) -> NIOSSLContext {
        do {
            let (chain, key) = try ours(settings, trust, at: now)
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            tls.minimumTLSVersion = .tlsv13
            tls.applicationProtocols = [TunnelProtocol.direct, TunnelProtocol.http]
            var authorities: [NIOSSLCertificate] = []
            if let trust {
                authorities += try NIOSSLCertificate.fromPEMBytes(Array(trust.authority.certificatePEM.utf8))
            }
            if let path = settings.clientAuthorityFile { authorities += try NIOSSLCertificate.fromPEMFile(path) }
            if !authorities.isEmpty {
                tls.trustRoots = .certificates(authorities)
                tls.certificateVerification = .optionalVerification
            }
            return try NIOSSLContext(configuration: tls)
        } catch let failure as TunnelFailure {
            throw failure
        } catch {
            throw TunnelFailure(
                "tls_setup", "The TLS files of the tunnel cannot be used: \(error).",
                help: "They must be readable PEM files, and the key must belong to the certificate.")
        }
    }

    private static func ours(
        _ settings: HubDoor.Settings, _ trust: HubTrust?, at now: WallTime
    ) throws -> ([NIOSSLCertificate], NIOSSLPrivateKey) {
        if let path = settings.certificateFile, let key = settings.keyFile {
            return (try NIOSSLCertificate.fromPEMFile(path), try NIOSSLPrivateKey(file: key, format: .pem))
        }
        guard let trust else { throw TunnelFailure("tls_setup", "The tunnel has no certificate.") }
        let (issued, key) = try trust.authority.certifyHub(trust.settings.names, life: trust.settings.hubLife, at: now)
        return (
            try NIOSSLCertificate.fromPEMBytes(Array(issued.chain.utf8)),
            try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
        )
    }
}
