internal import Crypto
internal import Foundation
internal import SwiftASN1
package import WeirWorld
internal import X509

/// The hub's own authority: signs short-lived certificates for agents, and one for the hub itself. A value with the key
/// in it; P-256, because every TLS library has it.
package struct CertificateAuthority: Sendable {
    package let certificatePEM: String
    package let keyPEM: String
    let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// What was signed.
    package struct Issued: Sendable, Hashable {
        /// PEM, the leaf and then the authority.
        package var chain: String
        /// In hexadecimal digits.
        package var serial: String
        package var expiry: WallTime
    }

    /// Clocks that differ by less do no harm.
    private static let skew = Duration.seconds(300)
    private static let life = Duration.seconds(10 * 365 * 86_400)
    /// How an agent's name stands in its certificate, beside the common name.
    private static let agentURI = "weir:agent:"

    /// A new authority for ten years.
    package static func made(name: String, at now: WallTime) throws(TunnelFailure) -> CertificateAuthority {
        try attempt("The authority could not be made") {
            let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
            let subject = try DistinguishedName {
                OrganizationName("Weir")
                CommonName("Weir tunnel \(name)")
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
                notValidBefore: date(now - skew), notValidAfter: date(now + life), issuer: subject,
                subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                }, issuerPrivateKey: key)
            return try CertificateAuthority(certificate, key)
        }
    }

    /// An authority that was kept.
    package init(certificatePEM: String, keyPEM: String) throws(TunnelFailure) {
        self = try Self.attempt("The authority cannot be read") {
            try CertificateAuthority(
                Certificate(pemEncoded: certificatePEM), Certificate.PrivateKey(pemEncoded: keyPEM))
        }
    }

    private init(_ certificate: Certificate, _ key: Certificate.PrivateKey) throws {
        self.certificate = certificate
        self.key = key
        certificatePEM = try certificate.serializeAsPEM().pemString
        keyPEM = try key.serializeAsPEM().pemString
    }

    /// Signs the key in a PKCS #10 request in the name of an agent. Of the request only the key is taken; its signature
    /// must be right, so that nobody certifies a key that he does not have.
    package func certify(
        _ request: String, agent: String, life: Duration, at now: WallTime
    ) throws(TunnelFailure) -> Issued {
        guard AgentIdentity.isName(agent) else { throw TunnelFailure("agent_name", "`\(agent)` is no agent's name.") }
        let key = try Self.attempt("This is no certificate request", code: "bad_request") {
            let request = try CertificateSigningRequest(pemEncoded: request)
            guard request.publicKey.isValidSignature(request.signature, for: request),
                P256.Signing.PublicKey(request.publicKey) != nil || P384.Signing.PublicKey(request.publicKey) != nil
            else { throw CocoaError(.coderInvalidValue) }
            return request.publicKey
        }
        return try sign(
            key, name: agent, usage: [.clientAuth], names: [.uniformResourceIdentifier(Self.agentURI + agent)], life,
            now)
    }

    /// A certificate for the hub's own listener.
    /// - Parameter names: host names and IP addresses by which agents call the hub.
    package func certifyHub(
        _ names: [String], life: Duration, at now: WallTime
    ) throws(TunnelFailure) -> (issued: Issued, keyPEM: String) {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let all = names.map { name -> GeneralName in
            guard let address = AddressBits(name) else { return .dnsName(name) }
            return .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
        }
        let issued = try sign(key.publicKey, name: names.first ?? "hub", usage: [.serverAuth], names: all, life, now)
        return (issued, try Self.attempt("The hub's key could not be written") { try key.serializeAsPEM().pemString })
    }

    func sign(
        _ subject: Certificate.PublicKey, name: String, usage: [ExtendedKeyUsage.Usage], names: [GeneralName],
        _ life: Duration, _ now: WallTime
    ) throws(TunnelFailure) -> Issued {
        try Self.attempt("The certificate could not be signed") {
            let serial = Certificate.SerialNumber()
            let expiry = now + life
            let leaf = try Certificate(
                version: .v3, serialNumber: serial, publicKey: subject, notValidBefore: Self.date(now - Self.skew),
                notValidAfter: Self.date(expiry), issuer: certificate.subject,
                subject: try DistinguishedName { CommonName(name) }, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(usage)
                    SubjectAlternativeNames(names)
                    AuthorityKeyIdentifier(keyIdentifier: try Self.identifier(of: certificate))
                }, issuerPrivateKey: key)
            return Issued(
                chain: try leaf.serializeAsPEM().pemString + "\n" + certificatePEM, serial: Self.text(serial),
                expiry: expiry)
        }
    }

    private static func identifier(of certificate: Certificate) throws -> ArraySlice<UInt8>? {
        try certificate.extensions.subjectKeyIdentifier?.keyIdentifier
    }

    // MARK: Reading what TLS has verified

    /// What Weir wants to know of a certificate whose chain TLS has verified.
    package struct Shown: Sendable, Hashable {
        package var name: String
        package var serial: String
        package var expiry: WallTime
        /// Signed by this authority; else by one that the operator has named.
        package var isOurs: Bool
    }

    package func read(_ der: [UInt8]) throws(TunnelFailure) -> Shown {
        try Self.attempt("The agent's certificate cannot be read", code: "bad_certificate") {
            let shown = try Certificate(derEncoded: der)
            let isOurs = certificate.publicKey.isValidSignature(shown.signature, for: shown)
            guard let name = Self.name(shown, isOurs) else { throw CocoaError(.coderValueNotFound) }
            return Shown(
                name: name, serial: Self.text(shown.serialNumber),
                expiry: WallTime(secondsSince1970: shown.notValidAfter.timeIntervalSince1970), isOurs: isOurs)
        }
    }

    private static func name(_ certificate: Certificate, _ isOurs: Bool) -> String? {
        if isOurs {
            // The hub's own certificate is ours too, and is no agent's.
            guard let names = try? certificate.extensions.subjectAlternativeNames else { return nil }
            for case .uniformResourceIdentifier(let text) in names where text.hasPrefix(agentURI) {
                return String(text.dropFirst(agentURI.count))
            }
            return nil
        }
        for part in certificate.subject {
            for attribute in part where attribute.type == .RDNAttributeType.commonName {
                return String(describing: attribute.value)
            }
        }
        return nil
    }

    /// The first and the last moment of a chain's leaf.
    package static func validity(_ chain: String) throws(TunnelFailure) -> (from: WallTime, to: WallTime) {
        try attempt("The certificate cannot be read") {
            guard let first = try PEMDocument.parseMultiple(pemString: chain).first else {
                throw CocoaError(.coderValueNotFound)
            }
            let leaf = try Certificate(pemDocument: first)
            return (
                WallTime(secondsSince1970: leaf.notValidBefore.timeIntervalSince1970) + skew,
                WallTime(secondsSince1970: leaf.notValidAfter.timeIntervalSince1970)
            )
        }
    }

    private static func text(_ serial: Certificate.SerialNumber) -> String { Hexadecimal.text(serial.bytes) }

    private static func date(_ time: WallTime) -> Date { Date(timeIntervalSince1970: time.secondsSince1970) }

    static func attempt<Value>(
        _ what: String, code: String = "authority", _ body: () throws -> Value
    ) throws(TunnelFailure) -> Value {
        do {
            return try body()
        } catch let failure as TunnelFailure {
            throw failure
        } catch {
            throw TunnelFailure(code, "\(what): \(error).")
        }
    }
}

/// Bytes as hexadecimal digits.
enum Hexadecimal {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes { text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16) }
        return text
    }
}

extension WallTime {
    fileprivate static func - (time: WallTime, duration: Duration) -> WallTime {
        WallTime(nanoseconds: time.nanoseconds &- duration.nanoseconds)
    }
}
