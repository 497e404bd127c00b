internal import NIOSSL
internal import WeirWorld

/// TLS between hubs: 1.3, certificates on both sides. Names are compared with what the certificate says of its hub, not
/// with addresses: hubs are reached where the registry says.
struct MeshTLS: Sendable {
    /// ALPN.
    static let name = "weir-mesh/1"

    var client: NIOSSLContext
    var server: NIOSSLContext
    var expiry: WallTime

    init(_ authority: CertificateAuthority, hub: String, life: Duration, at now: WallTime) throws(TunnelFailure) {
        let own = try authority.certifyMesh(hub: hub, life: life, at: now)
        do {
            let trusted = try NIOSSLCertificate.fromPEMBytes(Array(authority.certificatePEM.utf8))
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = own.chain.map { .certificate($0) }
            client.privateKey = .privateKey(own.key)
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: own.chain.map { .certificate($0) }, privateKey: .privateKey(own.key))
            Self.common(&client, trusted)
            Self.common(&server, trusted)
            self.client = try NIOSSLContext(configuration: client)
            self.server = try NIOSSLContext(configuration: server)
            expiry = own.expiry
        } catch {
            throw TunnelFailure("tls_setup", "The mesh's certificates cannot be used: \(error).")
        }
    }

    private static func common(_ tls: inout TLSConfiguration, _ trusted: [NIOSSLCertificate]) {
        tls.minimumTLSVersion = .tlsv13
        tls.applicationProtocols = [name]
        tls.trustRoots = .certificates(trusted)
        tls.certificateVerification = .noHostnameVerification
    }
}
