package import AsyncHTTPClient
internal import Foundation
internal import JWTKit
internal import NIOCore
internal import NIOHTTP1
import Synchronization
package import WeirWorld

/// Bearer tokens (JWT) of agents, checked against the keys that an identity provider publishes (JWKS).
///
/// - `aud` must name the audience, `exp` must be there and in the future, `nbf` in the past; `iss` where one is set.
/// - `agent_id` is who the agent is: its hello must say the same.
/// - Which connectors it may serve: the claim `connectors` (array), or words `connector:NAME` in `scope`.
/// - Only signatures with a public key count; shared secrets are not read from a key set.
package final class BearerTrust: Sendable {
    package struct Settings: Sendable {
        /// `https://…` or a file.
        package var keys: String
        package var audience = "weir"
        package var issuer: String?
        /// A token that names no connectors may serve none; off, as in the original: then it may serve all.
        package var requiresConnectors = false
        /// Keys are read anew after so long; 5 min. A token of an unknown key has them read at once, every 10 s at
        /// most.
        package var refresh = Duration.seconds(300)

        package init(keys: String) { self.keys = keys }
    }

    private struct Claims: JWTPayload {
        var exp: ExpirationClaim
        var nbf: NotBeforeClaim?
        var aud: AudienceClaim
        var iss: String?
        var agent: String
        var connectors: [String]?
        var scope: String?

        enum CodingKeys: String, CodingKey {
            case exp, nbf, aud, iss, connectors, scope
            case agent = "agent_id"
        }

        // Times are checked against the world's clock, below.
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    private struct Header: Decodable {
        var kid: String?
    }

    private struct State {
        var keys: [String: JWK] = [:]
        var read: Moment?
    }

    private let settings: Settings
    private let http: HTTPClient
    private let world: World
    private let state = Mutex(State())
    /// Clocks that differ by less do no harm.
    private static let leeway = Duration.seconds(30)
    private static let hurry = Duration.seconds(10)

    package init(_ settings: Settings, http: HTTPClient, world: World) {
        self.settings = settings
        self.http = http
        self.world = world
    }

    func identify(_ token: String) async throws(TunnelFailure) -> AgentIdentity {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= 16_384, parts.count == 3, let bytes = Base64URL.bytes(parts[0]),
            let header = try? JSONDecoder().decode(Header.self, from: Data(bytes))
        else { throw TunnelFailure("token_malformed", "The bearer token is no JWT.") }
        let claims = try await claims(token, try await key(header.kid ?? ""))
        return try judged(claims)
    }

    private func claims(_ token: String, _ key: JWK) async throws(TunnelFailure) -> Claims {
        do {
            let keys = JWTKeyCollection()
            try await keys.add(jwk: key)
            return try await keys.verify(token, as: Claims.self)
        } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
            throw TunnelFailure("token_signature", "The bearer token's signature is wrong.")
        } catch {
            throw TunnelFailure("token_malformed", "The bearer token cannot be used: \(error).")
        }
    }

    private func judged(_ claims: Claims) throws(TunnelFailure) -> AgentIdentity {
        let now = world.time.wall
        let expiry = WallTime(secondsSince1970: claims.exp.value.timeIntervalSince1970)
        guard now < expiry else { throw TunnelFailure("token_expired", "The bearer token expired at \(expiry).") }
        if let from = claims.nbf, now + Self.leeway < WallTime(secondsSince1970: from.value.timeIntervalSince1970) {
            throw TunnelFailure("token_early", "The bearer token is not good yet.")
        }
        guard claims.aud.value.contains(settings.audience) else {
            throw TunnelFailure("token_audience", "The bearer token is for \(claims.aud.value), not for this hub.")
        }
        guard settings.issuer == nil || claims.iss == settings.issuer else {
            throw TunnelFailure("token_issuer", "The bearer token is by `\(claims.iss ?? "nobody")`.")
        }
        guard AgentIdentity.isName(claims.agent) else {
            throw TunnelFailure("agent_name", "The claim `agent_id` is no agent's name.")
        }
        let scopes = claims.scope?.split(separator: " ").filter { $0.hasPrefix("connector:") }
            .map { String($0.dropFirst("connector:".count)) }
        var named = claims.connectors ?? scopes.flatMap { $0.isEmpty ? nil : $0 }
        if named == nil, settings.requiresConnectors { named = [] }
        return AgentIdentity(agent: claims.agent, connectors: named.map { Set($0) }, expiry: expiry, proof: .jwt)
    }

    // MARK: Keys

    private func key(_ id: String) async throws(TunnelFailure) -> JWK {
        let now = world.time.now
        let (known, read) = state.withLock { ($0.keys[id], $0.read) }
        if let known, let read, now - read < settings.refresh { return known }
        if let read, now - read < Self.hurry {
            guard let known else { throw Self.unknown(id) }
            return known
        }
        // Whoever comes while the keys are read makes do with what is there.
        state.withLock { $0.read = now }
        do throws(TunnelFailure) {
            let keys = try await fetch()
            state.withLock { $0.keys = keys }
        } catch {
            // Keys that were good a moment ago are better than nobody getting in.
            guard let known else { throw error }
            return known
        }
        guard let key = state.withLock({ $0.keys[id] }) else { throw Self.unknown(id) }
        return key
    }

    private static func unknown(_ id: String) -> TunnelFailure {
        TunnelFailure("token_key", "The bearer token is signed with the key `\(id)`, which is not published.")
    }

    private func fetch() async throws(TunnelFailure) -> [String: JWK] {
        struct Published: Decodable {
            var keys: [Entry]
        }
        // One key of a kind that is not known here does not spoil the others.
        struct Entry: Decodable {
            var key: JWK?
            init(from decoder: any Decoder) { key = try? JWK(from: decoder) }
        }
        do {
            let published = try JSONDecoder().decode(Published.self, from: try await read())
            var keys: [String: JWK] = [:]
            for case var key? in published.keys.map(\.key) {
                let id = key.keyIdentifier ?? JWKIdentifier(string: "")
                key.keyIdentifier = id
                keys[id.string] = key
            }
            return keys
        } catch {
            throw TunnelFailure("token_keys", "The keys at \(settings.keys) cannot be read: \(error).")
        }
    }

    private func read() async throws -> Data {
        guard settings.keys.hasPrefix("http") else {
            let lane = world.blocking.lane("tunnel-keys")
            defer { lane.close() }
            return try await lane.run { [keys = settings.keys] in try Data(contentsOf: URL(fileURLWithPath: keys)) }
        }
        let response = try await http.execute(HTTPClientRequest(url: settings.keys), timeout: .seconds(5))
        guard response.status == .ok else { throw TunnelFailure("token_keys", "It answered \(response.status.code).") }
        return Data((try await response.body.collect(upTo: 1 << 20)).readableBytesView)
    }
}
