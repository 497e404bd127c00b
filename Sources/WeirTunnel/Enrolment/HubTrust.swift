internal import Foundation
internal import Logging
internal import SwiftASN1
import Synchronization
package import WeirStore
package import WeirWorld

/// The hub's side of who is who: its authority, one-time tokens, certificates of agents, and bearer tokens. What it has
/// promised is in the ledger before it is said.
package final class HubTrust: Sendable {
    package struct Settings: Sendable {
        package var name = "hub"
        /// Host names and addresses by which agents call the hub, for its own certificate.
        package var names = ["localhost", "127.0.0.1"]
        /// Of an agent's certificate; 14 days. It is renewed at two thirds, so that the alert at three days before the
        /// end tells of renewals that fail, and an agent that was off for four days comes back by itself.
        package var agentLife = Duration.seconds(14 * 86_400)
        /// Of the hub's own certificate; 90 days. It is renewed at two thirds.
        package var hubLife = Duration.seconds(90 * 86_400)
        /// Of an enrolment token; 1 h.
        package var tokenLife = Duration.seconds(3_600)

        package init() {}
    }

    package let settings: Settings
    private let ledger: Ledger
    let world: World
    private let bearer: BearerTrust?
    let book: Mutex<EnrolmentBook>
    /// With the other hubs of a mesh; `nil` for a hub alone.
    let shared: SharedBook?
    package let authority: CertificateAuthority

    static let authorities = "tunnel_authorities"
    static let tokens = "tunnel_tokens"
    static let agents = "tunnel_agents"

    private struct KeptAuthority: Codable {
        var certificate: String
        var key: String
    }

    private init(
        _ settings: Settings, _ ledger: Ledger, _ world: World, _ bearer: BearerTrust?, _ book: EnrolmentBook,
        _ shared: SharedBook?, _ authority: CertificateAuthority
    ) {
        self.settings = settings
        self.ledger = ledger
        self.world = world
        self.bearer = bearer
        self.book = Mutex(book)
        self.shared = shared
        self.authority = authority
    }

    /// Reads what the ledger has; makes the authority when there is none, or takes the mesh's.
    package static func open(
        _ settings: Settings, ledger: Ledger, bearer: BearerTrust? = nil, shared: SharedBook? = nil, world: World
    ) async throws(TunnelFailure) -> HubTrust {
        do {
            let decoder = JSONDecoder()
            let tokens = try await ledger.documents(in: tokens)
                .map { try decoder.decode(EnrolmentBook.Token.self, from: Data($0.body)) }
            let members = try await ledger.documents(in: agents)
                .map { try decoder.decode(EnrolmentBook.Member.self, from: Data($0.body)) }
            let kept = try await ledger.document(authorities, "own").map {
                try decoder.decode(KeptAuthority.self, from: Data($0.body))
            }
            let authority = try await authority(settings, kept, shared, world)
            if authority.certificatePEM != kept?.certificate {
                let keeping = KeptAuthority(certificate: authority.certificatePEM, key: authority.keyPEM)
                try await ledger.commit([put(authorities, "own", keeping, at: world.time.wall)])
            }
            return HubTrust(
                settings, ledger, world, bearer, EnrolmentBook(tokens: tokens, members: members), shared, authority)
        } catch let failure as TunnelFailure {
            throw failure
        } catch {
            throw TunnelFailure("ledger", "What the hub knows of its agents cannot be read: \(error).")
        }
    }

    private static func authority(
        _ settings: Settings, _ kept: KeptAuthority?, _ shared: SharedBook?, _ world: World
    ) async throws(TunnelFailure) -> CertificateAuthority {
        let own =
            if let kept { try CertificateAuthority(certificatePEM: kept.certificate, keyPEM: kept.key) } else {
                try CertificateAuthority.made(name: settings.name, at: world.time.wall)
            }
        guard let shared else { return own }
        do throws(TunnelFailure) {
            let settled = try await shared.settle(own, isNew: kept == nil)
            if kept != nil, settled.certificatePEM != own.certificatePEM {
                world.log.warning(
                    "The mesh has another authority than this hub had: agents of before have to enrol anew.")
            }
            return settled
        } catch  where error.code == "registry_down" && kept != nil {
            // It has run before; the others are met when the registry is back.
            return own
        }
    }

    // MARK: What operators do

    /// - Parameter connectors: what the agent may serve; `nil` for all.
    /// - Returns: the token's text, which is kept nowhere.
    package func makeToken(
        agent: String, connectors: [String]?, life: Duration? = nil, by maker: String
    ) async throws(TunnelFailure) -> String {
        guard AgentIdentity.isName(agent) else {
            throw TunnelFailure(
                "agent_name", "`\(agent)` is no name for an agent.",
                help: "Letters, digits, `.`, `_` and `-`, at most 64.")
        }
        let now = world.time.wall
        let token = EnrolmentToken(agent: agent, authority: PEMText.base64(authority.certificatePEM))
        let entry = EnrolmentBook.Token(
            id: token.id, agent: agent, connectors: connectors, made: now, expiry: now + (life ?? settings.tokenLife),
            maker: maker)
        let forgotten = book.withLock { $0.add(entry) }
        var changes = [
            put(Self.tokens, entry.id, entry), audit(maker, "make_token", agent, "good until \(entry.expiry)"),
        ]
        changes += forgotten.map { .remove(collection: Self.tokens, id: $0) }
        try await commit(changes)
        await tell(tokens: [entry], forgotten: forgotten)
        return token.text
    }

    /// Strikes an agent out; the hub closes its links. It may enrol anew with a new token.
    package func revoke(_ agent: String, by who: String, why: String) async throws(TunnelFailure) {
        let now = world.time.wall
        let (member, tokens) = book.withLock { book in
            (book.revoke(agent, why: why, at: now), book.tokens.values.filter { $0.agent == agent })
        }
        guard let member else { throw TunnelFailure("agent_unknown", "There is no enrolled agent `\(agent)`.") }
        var changes = [put(Self.agents, agent, member), audit(who, "revoke_agent", agent, why)]
        changes += tokens.map { put(Self.tokens, $0.id, $0) }
        try await commit(changes)
        await tell(tokens: tokens, members: [member])
    }

    package var members: [EnrolmentBook.Member] {
        book.withLock { $0.members.values.sorted { $0.agent < $1.agent } }
    }
    package var tokens: [EnrolmentBook.Token] {
        book.withLock { $0.tokens.values.sorted { ($0.made, $0.id) < ($1.made, $1.id) } }
    }

    // MARK: What agents do

    /// - Parameter der: a certificate whose chain TLS has verified.
    func identify(certificate der: [UInt8]) throws(TunnelFailure) -> AgentIdentity {
        let shown = try authority.read(der)
        guard shown.isOurs else {
            guard AgentIdentity.isName(shown.name) else {
                throw TunnelFailure("agent_name", "The certificate's name `\(shown.name)` is no agent's.")
            }
            return AgentIdentity(agent: shown.name, expiry: shown.expiry, proof: .mtls)
        }
        let now = world.time.wall
        let member = try refusing { () throws(EnrolmentBook.Refusal) in
            try book.withLock { book throws(EnrolmentBook.Refusal) in
                try book.check(shown.name, serial: shown.serial, at: now)
            }
        }
        return AgentIdentity(
            agent: shown.name, connectors: member.connectors.map { Set($0) }, expiry: shown.expiry, proof: .certificate)
    }

    func identify(bearer token: String) async throws(TunnelFailure) -> AgentIdentity {
        guard let bearer else { throw TunnelFailure("no_bearer", "This hub takes no bearer tokens.") }
        return try await bearer.identify(token)
    }

    /// When the proof of an agent ends, renewals included; `nil` when it was revoked.
    func expiry(of identity: AgentIdentity) -> WallTime? {
        guard identity.proof == .certificate else { return identity.expiry }
        return book.withLock { book in
            guard let member = book.members[identity.agent], member.revoked == nil else { return nil }
            return member.expiry
        }
    }

    /// The first certificate of an agent, for a token.
    func enrol(_ wish: ControlMessage.Enrol) async throws(TunnelFailure) -> ControlMessage.Certificate {
        let now = world.time.wall
        // Signed first: a request that is no good does not spend the token.
        let issued = try authority.certify(wish.request, agent: wish.agent, life: settings.agentLife, at: now)
        let id = EnrolmentToken.id(of: wish.secret)
        if let shared {
            try await learn()
            try refusing { () throws(EnrolmentBook.Refusal) in
                try book.withLock { book throws(EnrolmentBook.Refusal) in
                    var book = book
                    _ = try book.use(id, by: wish.agent, at: now)
                }
            }
            try await shared.spend(id)
        }
        let (token, member) = try refusing { () throws(EnrolmentBook.Refusal) in
            try book.withLock { book throws(EnrolmentBook.Refusal) in
                let token = try book.use(id, by: wish.agent, at: now)
                return (token, book.enrolled(token, .init(serial: issued.serial, expiry: issued.expiry), at: now))
            }
        }
        try await commit([
            put(Self.tokens, token.id, token), put(Self.agents, member.agent, member),
            audit(member.agent, "enrol", member.agent, "token of \(token.maker)"),
        ])
        await tell(tokens: [token], members: [member])
        return .init(chain: issued.chain, authorities: authority.certificatePEM)
    }

    /// The next certificate of an agent that has shown a good one.
    func certify(
        _ request: String, for identity: AgentIdentity
    ) async throws(TunnelFailure) -> ControlMessage.Certificate {
        guard identity.proof == .certificate else {
            throw TunnelFailure("no_renewal", "Only certificates of this hub are renewed.")
        }
        let now = world.time.wall
        let issued = try authority.certify(request, agent: identity.agent, life: settings.agentLife, at: now)
        let member = try refusing { () throws(EnrolmentBook.Refusal) in
            try book.withLock { book throws(EnrolmentBook.Refusal) in
                try book.renewed(identity.agent, .init(serial: issued.serial, expiry: issued.expiry), at: now)
            }
        }
        try await commit([put(Self.agents, member.agent, member)])
        await tell(members: [member])
        return .init(chain: issued.chain, authorities: authority.certificatePEM)
    }

    // MARK: The ledger

    private func refusing<Value>(
        _ body: () throws(EnrolmentBook.Refusal) -> Value
    ) throws(TunnelFailure) -> Value {
        do throws(EnrolmentBook.Refusal) {
            return try body()
        } catch {
            throw TunnelFailure(error.rawValue, error.sentence)
        }
    }

    func commit(_ changes: [LedgerChange]) async throws(TunnelFailure) {
        do throws(StoreFailure) {
            try await ledger.commit(changes)
        } catch {
            throw TunnelFailure("ledger", "It could not be kept: \(error).")
        }
    }

    func put(_ collection: String, _ id: String, _ body: some Encodable & Sendable) -> LedgerChange {
        Self.put(collection, id, body, at: world.time.wall)
    }

    private static func put(
        _ collection: String, _ id: String, _ body: some Encodable & Sendable, at now: WallTime
    ) -> LedgerChange {
        .put {
            LedgerDocument(collection: collection, id: id, time: now, body: [UInt8](try JSONEncoder().encode(body)))
        }
    }

    private func audit(_ who: String, _ action: String, _ agent: String, _ why: String) -> LedgerChange {
        .audit(AuditEntry(time: world.time.wall, who: who, action: action, subject: "agent/\(agent)", why: why))
    }
}

/// The base64 inside of a PEM text with one block.
enum PEMText {
    static func base64(_ pem: String) -> String {
        pem.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }.joined()
    }

    static func certificate(_ base64: String) -> String {
        "-----BEGIN CERTIFICATE-----\n" + base64 + "\n-----END CERTIFICATE-----\n"
    }
}
