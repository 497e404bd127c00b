package import AsyncHTTPClient
internal import Foundation
internal import JWTKit
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

    private let settings: Settings
    private let world: World
    private let keys: PublishedKeys
    /// Clocks that differ by less do no harm.
    private static let leeway = Duration.seconds(30)

    package init(_ settings: Settings, http: HTTPClient, world: World) {
        self.settings = settings
        self.world = world
        keys = PublishedKeys(at: settings.keys, http: http, world: world)
    }

    func identify(_ token: String) async throws(TunnelFailure) -> AgentIdentity {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= 16_384, parts.count == 3, let bytes = Base64URL.bytes(parts[0]),
            let header = try? JSONDecoder().decode(Header.self, from: Data(bytes))
        else { throw TunnelFailure("token_malformed", "The bearer token is no JWT.") }
        let claims = try await claims(token, try await keys.key(header.kid ?? ""))
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
}
