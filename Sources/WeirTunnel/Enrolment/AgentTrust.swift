internal import Crypto
internal import Foundation
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
import Synchronization
internal import WeirStore
package import WeirWorld
internal import X509

/// The agent's side of who is who: its key and certificate, in one file that only it can read, the token that it enrols
/// with, or a bearer token that others renew.
package final class AgentTrust: Sendable {
    package struct Settings: Sendable {
        package var agent: String
        /// Where key and certificate are kept; `nil`: nowhere (tests).
        package var path: String?
        package var token: EnrolmentToken?
        /// A file with a bearer token; read anew for each link and each minute.
        package var bearerFile: String?
        /// PEM, instead of enrolling.
        package var certificateFile: String?
        package var keyFile: String?
        /// PEM; with it, the system's authorities are trusted no more.
        package var authorityFile: String?

        package init(agent: String) { self.agent = agent }
    }

    /// What an agent has of a hub's authority.
    package struct Credentials: Sendable, Hashable, Codable {
        package var agent: String
        /// PEM, leaf first.
        package var chain: String
        package var key: String
        /// PEM.
        package var authorities: String
    }

    package let settings: Settings
    private let world: World
    private let state: Mutex<State>

    private struct State {
        var credentials: Credentials?
        var validity: (from: WallTime, to: WallTime)?
        /// For the request that is under way.
        var key: String?
    }

    private init(_ settings: Settings, _ world: World, _ state: sending State) {
        self.settings = settings
        self.world = world
        self.state = Mutex(state)
    }

    /// Reads what is kept.
    package static func open(_ settings: Settings, world: World) async throws(TunnelFailure) -> AgentTrust {
        var state = State()
        if let path = settings.path {
            let bytes = try await onDisk(world, path) { try AtomicFile(path: path, files: world.files).read() }
            if let bytes {
                guard
                    let kept = try? JSONDecoder().decode(Credentials.self, from: Data(bytes.readableBytesView)),
                    kept.agent == settings.agent
                else {
                    throw TunnelFailure(
                        "identity", "\(path) is not the identity of agent `\(settings.agent)`.",
                        help: "Give another `--state`, or remove the file and enrol anew.")
                }
                state.validity = try CertificateAuthority.validity(kept.chain)
                state.credentials = kept
            }
        }
        return AgentTrust(settings, world, state)
    }

    private static func onDisk<Value: Sendable>(
        _ world: World, _ path: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws(TunnelFailure) -> Value {
        let lane = world.blocking.lane("tunnel-identity")
        defer { lane.close() }
        do {
            return try await lane.run(body)
        } catch {
            throw TunnelFailure("identity", "\(path): \(error).")
        }
    }

    // MARK: The certificate

    /// There is a token and no good certificate.
    package var mustEnrol: Bool {
        let now = world.time.wall
        let isGood = state.withLock { state in state.validity.map { now < $0.to } ?? false }
        return !isGood && settings.token != nil
    }

    /// Why what is kept is not good, and what to do; `nil` when it is, or when there is nothing to be good.
    package var trouble: TunnelFailure? {
        let now = world.time.wall
        guard let validity = state.withLock({ $0.validity }), let path = settings.path, settings.token == nil else {
            return nil
        }
        let anew = RefusalAdvice.text("certificate_expired", agent: settings.agent)
        if now >= validity.to {
            return TunnelFailure(
                "certificate_expired",
                "The certificate in \(path) ended at \(validity.to); this machine's clock says \(now).", help: anew)
        }
        // As much earlier as clocks may differ.
        if now + .seconds(300) < validity.from {
            return TunnelFailure(
                "certificate_early",
                "The certificate in \(path) begins at \(validity.from); this machine's clock says \(now).",
                help: "Set this machine's clock.")
        }
        return nil
    }

    package var expiry: WallTime? { state.withLock { $0.validity?.to } }

    /// When the certificate is to be renewed: at two thirds of its life. `nil` when there is none of a hub's.
    package var renewal: WallTime? {
        state.withLock { state in state.validity.map { $0.from + ($0.to - $0.from) * 2 / 3 } }
    }

    /// A new key, and the request for its certificate (PKCS #10, PEM).
    func request() throws(TunnelFailure) -> String {
        do {
            let key = P256.Signing.PrivateKey()
            let request = try CertificateSigningRequest(
                version: .v1, subject: try DistinguishedName { CommonName(settings.agent) },
                privateKey: Certificate.PrivateKey(key), attributes: CertificateSigningRequest.Attributes(),
                signatureAlgorithm: .ecdsaWithSHA256)
            state.withLock { $0.key = key.pemRepresentation }
            return try request.serializeAsPEM().pemString
        } catch {
            throw TunnelFailure("identity", "No certificate could be asked for: \(error).")
        }
    }

    /// The hub takes the certificate no more: with a token, the next link enrols anew.
    func doubt() { state.withLock { $0.validity = nil } }

    /// Keeps a certificate for the last request's key. The next link shows it.
    func accept(_ certificate: ControlMessage.Certificate) async throws(TunnelFailure) {
        let validity = try CertificateAuthority.validity(certificate.chain)
        guard let key = state.withLock({ $0.key }) else { return }
        let credentials = Credentials(
            agent: settings.agent, chain: certificate.chain, key: key, authorities: certificate.authorities)
        _ = try Self.context(credentials, settings, [])
        if let path = settings.path {
            let files = world.files
            try await Self.onDisk(world, path) {
                if let slash = path.lastIndex(of: "/") { try files.makeDirectory(String(path[..<slash])) }
                try AtomicFile(path: path, files: files).write([UInt8](try JSONEncoder().encode(credentials)))
            }
        }
        state.withLock { state in
            state.credentials = credentials
            state.validity = validity
            state.key = nil
        }
    }

    // MARK: The bearer token

    /// - Returns: `nil` when none is set.
    func bearer() async throws(TunnelFailure) -> String? {
        guard let path = settings.bearerFile else { return nil }
        let text = try await Self.onDisk(world, path) { try String(contentsOfFile: path, encoding: .utf8) }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: TLS

    /// What the next link shows.
    var shown: DialTrouble.Proof {
        if settings.bearerFile != nil { return .bearer }
        if settings.certificateFile != nil { return .certificate }
        let now = world.time.wall
        if state.withLock({ $0.validity.map { now < $0.to } ?? false }) { return .certificate }
        return settings.token == nil ? .nothing : .token
    }

    /// For the next link. Blocking.
    /// - Parameter protocols: for ALPN.
    /// - Parameter comparesPeer: that the hub's certificate is for whom the channel leads to; the chain always counts.
    func context(_ protocols: [String], comparesPeer: Bool = true) throws(TunnelFailure) -> NIOSSLContext {
        let (credentials, now) = (state.withLock { $0.credentials }, world.time.wall)
        let isGood = state.withLock { $0.validity.map { now < $0.to } ?? false }
        // One that has expired is not shown: an agent that enrols anew would be refused for it. The hub is known by it.
        return try Self.context(credentials, settings, protocols, shows: isGood, comparesPeer: comparesPeer)
    }

    private static func context(
        _ credentials: Credentials?, _ settings: Settings, _ protocols: [String], shows: Bool = true,
        comparesPeer: Bool = true
    ) throws(TunnelFailure) -> NIOSSLContext {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.minimumTLSVersion = .tlsv13
            tls.applicationProtocols = protocols
            if !comparesPeer { tls.certificateVerification = .noHostnameVerification }
            var authorities: [NIOSSLCertificate] = []
            if let token = settings.token?.authority {
                authorities += try NIOSSLCertificate.fromPEMBytes(Array(PEMText.certificate(token).utf8))
            }
            if let credentials {
                authorities += try NIOSSLCertificate.fromPEMBytes(Array(credentials.authorities.utf8))
            }
            if let credentials, shows {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(credentials.chain.utf8))
                    .map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(credentials.key.utf8), format: .pem))
            }
            if let path = settings.authorityFile {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path) + authorities)
            } else {
                tls.additionalTrustRoots = [.certificates(authorities)]
            }
            if let path = settings.certificateFile, let key = settings.keyFile {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            }
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw TunnelFailure("tls_setup", "The agent's certificates cannot be used: \(error).")
        }
    }
}
