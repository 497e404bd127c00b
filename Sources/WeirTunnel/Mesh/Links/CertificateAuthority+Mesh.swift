internal import Crypto
internal import Foundation
internal import NIOSSL
internal import SwiftASN1
internal import WeirWorld
internal import X509

/// Certificates by which hubs of a mesh know each other: of the same authority as the agents', and told from theirs by
/// what is written in them.
extension CertificateAuthority {
    private static let hubURI = "weir:hub:"

    /// For both ends of a hub's links to other hubs.
    func certifyMesh(
        hub name: String, life: Duration, at now: WallTime
    ) throws(TunnelFailure) -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey, expiry: WallTime) {
        let key = P256.Signing.PrivateKey()
        let issued = try sign(
            Certificate.PrivateKey(key).publicKey, name: name, usage: [.clientAuth, .serverAuth],
            names: [.uniformResourceIdentifier(Self.hubURI + name)], life, now)
        return try Self.attempt("The mesh's certificate could not be made") {
            (
                try NIOSSLCertificate.fromPEMBytes(Array(issued.chain.utf8)),
                try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem), issued.expiry
            )
        }
    }

    /// The name in a hub's certificate of this authority, whose chain TLS has verified; `nil` when it is an agent's.
    func meshName(_ der: [UInt8]) -> String? {
        guard let shown = try? Certificate(derEncoded: der),
            certificate.publicKey.isValidSignature(shown.signature, for: shown),
            let names = try? shown.extensions.subjectAlternativeNames
        else { return nil }
        for case .uniformResourceIdentifier(let text) in names where text.hasPrefix(Self.hubURI) {
            return String(text.dropFirst(Self.hubURI.count))
        }
        return nil
    }
}
