internal import NIOCore
internal import WeirWorld

/// The hub's side of one link: the conversation with the agent, from its first word to its end. On the link's event
/// loop.
final class HubLinkOwner: Link.Owner {
    /// What TLS or the upgrade has said about the agent; `nil` when it must say itself who it is.
    private var identity: AgentIdentity?
    /// Why what it has shown is not good: said to it, and the end.
    private let refusal: TunnelFailure?
    private let address: String?
    private let hub: Hub
    private let id: UInt64
    private var talk: Talk?
    private var handle: LinkHandle?
    private var agent: String?
    /// For the first word, then for the end of the proof.
    private var deadline: Scheduled<Void>?
    /// What to count when it ends without a name; `nil`: it was refused, or has enrolled.
    private var strange: DoorEnd? = .noHello
    /// An errand is under way: whoever asks more meanwhile has lost his way.
    private var isBusy = false

    init(_ proof: Result<AgentIdentity?, TunnelFailure>, address: String?, id: UInt64, hub: Hub) {
        switch proof {
        case .success(let identity): (self.identity, refusal) = (identity, nil)
        case .failure(let failure): (identity, refusal) = (nil, failure)
        }
        self.address = address
        self.id = id
        self.hub = hub
    }

    func linkIsUp(_ link: Link) {
        guard let loop = link.loop else { return }
        handle = LinkHandle(link, loop: loop, id: id)
        deadline = loop.assumeIsolated().scheduleTask(in: .seconds(10)) { [weak self, weak link] in
            guard self?.agent == nil else { return }
            link?.close(.ordered("no hello within 10 s"))
        }
    }

    func opened(_ stream: UInt32, on link: Link) {
        // Agents open one stream, for the conversation; the hub opens all others.
        guard talk == nil else {
            if let agent { hub.observer.agentMistook(agent, .openedStream) }
            return link.reset(stream, .notAllowed)
        }
        talk = Talk(on: link, stream: stream) { [weak self, weak link] message in
            guard let self, let link else { return }
            heard(message, link)
        }
    }

    private func heard(_ message: ControlMessage?, _ link: Link) {
        switch message {
        case .hello(let hello): greet(hello, link)
        case .enrol(let wish): enrol(wish, link)
        case .certify(let wish): certify(wish, link)
        case .bearer(let bearer): renew(bearer, link)
        case .drain: if let agent { hub.drains(agent, link: id) }
        case nil: link.close(.ordered("the agent ended the conversation"))
        case .welcome, .certificate, .refused, .unknown: break
        }
    }

    // MARK: Who is there

    private func greet(_ hello: ControlMessage.Hello, _ link: Link) {
        guard agent == nil else { return }
        if let refusal { return doubt(refusal, hello, link) }
        if let identity { return admit(hello, as: identity, link) }
        guard let trust = hub.trust else {
            return admit(hello, as: AgentIdentity(agent: hello.agent, proof: .none), link)
        }
        guard let bearer = hello.bearer else {
            let failure = TunnelFailure("no_proof", "The agent shows neither a certificate nor a token.")
            return refuse(link, hello.agent, failure)
        }
        errand(
            link, { () async throws(TunnelFailure) in try await trust.identify(bearer: bearer) },
            then: { owner, result in
                switch result {
                case .success(let identity): owner.admit(hello, as: identity, link)
                case .failure(let failure): owner.refuse(link, hello.agent, failure)
                }
            })
    }

    /// Another hub may have enrolled or renewed the agent a moment ago.
    private func doubt(_ refusal: TunnelFailure, _ hello: ControlMessage.Hello, _ link: Link) {
        guard let trust = hub.trust, trust.isDoubtful(refusal), let certificate = link.peerCertificate else {
            return refuse(link, hello.agent, refusal)
        }
        errand(
            link, { () async throws(TunnelFailure) in try await trust.identify(again: certificate) },
            then: { owner, result in
                switch result {
                case .success(let identity): owner.admit(hello, as: identity, link)
                case .failure(let failure): owner.refuse(link, hello.agent, failure)
                }
            })
    }

    private func admit(_ hello: ControlMessage.Hello, as identity: AgentIdentity, _ link: Link) {
        guard agent == nil, let handle else { return }
        guard hello.agent == identity.agent, AgentIdentity.isName(hello.agent) else {
            let failure = TunnelFailure(
                "agent_mismatch",
                "This is `\(identity.agent)` by its \(identity.proof.rawValue), but says `\(hello.agent)`.")
            return refuse(link, hello.agent, failure)
        }
        let connectors = identity.allowed(hello.connectors)
        guard !connectors.isEmpty || hello.connectors.isEmpty else {
            let failure = TunnelFailure(
                "connector_not_allowed",
                "`\(hello.agent)` may serve none of \(hello.connectors.map { "`\($0)`" }.joined(separator: ", ")).")
            return refuse(link, hello.agent, failure)
        }
        self.identity = identity
        agent = hello.agent
        hub.joined(
            AgentRoster.Agent(
                id: hello.agent, version: hello.version, connectors: Set(connectors), since: hub.world.time.wall,
                links: [], certificateExpiry: identity.expiry, address: address, proof: identity.proof,
                instance: hello.instance), handle)
        talk?.say(.welcome(.init(hub: hub.settings.name, version: hub.settings.version, connectors: connectors)))
        watch(link)
    }

    private func refuse(_ link: Link, _ name: String, _ failure: TunnelFailure) {
        strange = nil
        hub.refused(name, failure)
        talk?.say(.refused(.init(code: failure.code, message: failure.message)))
        // Time for the message to leave.
        _ = link.loop?.assumeIsolated().scheduleTask(in: .milliseconds(200)) { link.close(.ordered(failure.message)) }
    }

    // MARK: Proofs

    private func enrol(_ wish: ControlMessage.Enrol, _ link: Link) {
        guard agent == nil, let trust = hub.trust else {
            return refuse(link, wish.agent, TunnelFailure("no_enrolment", "No agent can enrol here."))
        }
        errand(
            link, { () async throws(TunnelFailure) in try await trust.enrol(wish) },
            then: { owner, result in
                switch result {
                case .success(let certificate):
                    owner.strange = nil
                    owner.talk?.say(.certificate(certificate))
                case .failure(let failure): owner.refuse(link, wish.agent, failure)
                }
            })
    }

    private func certify(_ wish: ControlMessage.Certify, _ link: Link) {
        guard agent != nil, let identity, let trust = hub.trust else { return }
        errand(
            link,
            { () async throws(TunnelFailure) in
                try await trust.certify(wish.request, for: identity)
            },
            then: { owner, result in
                switch result {
                case .success(let certificate):
                    owner.talk?.say(.certificate(certificate))
                    if let expiry = trust.expiry(of: identity) { owner.hub.renewed(identity.agent, until: expiry) }
                case .failure(let failure):
                    owner.talk?.say(.refused(.init(code: failure.code, message: failure.message)))
                }
            })
    }

    private func renew(_ bearer: ControlMessage.Bearer, _ link: Link) {
        guard let agent, identity?.proof == .jwt, let trust = hub.trust else { return }
        errand(
            link,
            { () async throws(TunnelFailure) in
                try await trust.identify(bearer: bearer.token)
            },
            then: { owner, result in
                switch result {
                case .success(let identity) where identity.agent == agent:
                    owner.identity = identity
                    if let expiry = identity.expiry { owner.hub.renewed(agent, until: expiry) }
                    owner.watch(link)
                case .success:
                    owner.refuse(link, agent, TunnelFailure("agent_mismatch", "The new token is another agent's."))
                // What was shown before is still good until its end.
                case .failure(let failure):
                    owner.talk?.say(.refused(.init(code: failure.code, message: failure.message)))
                }
            })
    }

    /// Closes the link when the proof ends and was not renewed, or was taken back.
    private func watch(_ link: Link) {
        deadline?.cancel()
        guard let identity, identity.expiry != nil else { return }
        guard let expiry = hub.trust.map({ $0.expiry(of: identity) }) ?? identity.expiry else {
            return link.close(.ordered("the agent was revoked"))
        }
        let left = expiry - hub.world.time.wall
        guard left > .zero else { return link.close(.ordered("the agent's \(identity.proof.rawValue) has expired")) }
        deadline = link.loop?.assumeIsolated().scheduleTask(
            in: .nanoseconds(min(left, .seconds(3_600)).nanoseconds)
        ) { [weak self, weak link] in
            if let self, let link { watch(link) }
        }
    }

    /// One at a time, away from the event loop and back.
    private func errand<Value: Sendable>(
        _ link: Link, _ work: @escaping @Sendable () async throws(TunnelFailure) -> Value,
        then: @escaping (HubLinkOwner, Result<Value, TunnelFailure>) -> Void
    ) {
        guard let loop = link.loop, !isBusy else { return }
        isBusy = true
        hub.errands.run(
            work, on: loop, with: self,
            then: { owner, result in
                owner.isBusy = false
                then(owner, result)
            })
    }

    func peerDrains(_ link: Link) { if let agent { hub.drains(agent, link: id) } }

    func linkIsDown(_ link: Link, _ end: LinkEnd) {
        deadline?.cancel()
        if let agent { return hub.left(agent, link: id, end) }
        guard let strange else { return }
        hub.observer.doorClosed(end.isMistake ? .protocol : end == .closed ? .left : strange)
    }
}
