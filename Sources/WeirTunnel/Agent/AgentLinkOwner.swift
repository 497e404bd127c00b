internal import Logging
internal import NIOCore
internal import WeirWorld

/// The agent's side of one link: enrols or says hello, renews what proves who it is, and dials for the streams that the
/// hub opens. On the link's event loop.
final class AgentLinkOwner: Link.Owner {
    private let number: Int
    private let agent: Agent
    /// For the hello, where neither a certificate nor the upgrade says who this is.
    private let bearer: String?
    private let ended: (LinkEnd) -> Void
    weak var link: Link?
    private var talk: Talk?
    private var id: UInt64?
    private var refusal: TunnelFailure?
    /// For the first answer, then for the next renewal.
    private var timer: Scheduled<Void>?
    /// Set while this link is only there to enrol, or a certificate was asked for.
    private var isAsking = false

    init(number: Int, agent: Agent, bearer: String?, ended: @escaping (LinkEnd) -> Void) {
        self.number = number
        self.agent = agent
        self.bearer = bearer
        self.ended = ended
    }

    func linkIsUp(_ link: Link) {
        do throws(Session.OpenRefusal) {
            talk = try Talk(opensOn: link) { [weak self] message in self?.heard(message) }
        } catch {
            return link.close(.failed("no stream for the conversation"))
        }
        after(.seconds(10)) { owner in
            guard owner.id == nil else { return }
            owner.link?.close(.ordered("the hub said nothing within 10 s"))
        }
        guard let trust = agent.trust, trust.mustEnrol else { return greet() }
        guard number == 0 else { return link.close(.ordered("the first link enrols")) }
        enrol(trust, link)
    }

    private func greet() {
        var hello = ControlMessage.Hello(
            agent: agent.settings.id, version: agent.settings.version, connectors: agent.settings.targets.keys.sorted())
        hello.link = number
        hello.links = agent.settings.links
        hello.bearer = bearer
        hello.instance = agent.instance
        talk?.say(.hello(hello))
    }

    private func heard(_ message: ControlMessage?) {
        guard let link, let loop = link.loop else { return }
        switch message {
        case .welcome(let welcome):
            guard id == nil else { return }
            id = agent.joined(link, loop: loop, number: number, connectors: welcome.connectors)
            renewLater()
        case .certificate(let certificate): accept(certificate, link)
        case .refused(let refused): hear(refused, link)
        case .drain(let drain): agent.hubDrains(drain.reason, number: number)
        case nil: link.close(.ordered(refusal?.message ?? "the hub ended the conversation"))
        case .hello, .enrol, .bearer, .certify, .unknown: break
        }
    }

    private func hear(_ refused: ControlMessage.Refused, _ link: Link) {
        let failure = TunnelFailure(refused.code, refused.message)
        guard id != nil else {
            refusal = failure
            if RefusalAdvice.endsCertificate(failure.code), agent.trust?.settings.token != nil { agent.trust?.doubt() }
            agent.refused(failure)
            return
        }
        agent.renewalRefused(failure)
        isAsking = false
        renewSoon()
    }

    // MARK: Proofs

    private func enrol(_ trust: AgentTrust, _ link: Link) {
        do throws(TunnelFailure) {
            let wish = ControlMessage.Enrol(
                agent: agent.settings.id, secret: trust.settings.token?.secret ?? "", request: try trust.request())
            isAsking = true
            talk?.say(.enrol(wish))
        } catch {
            link.close(.ordered(error.message))
        }
    }

    private func accept(_ certificate: ControlMessage.Certificate, _ link: Link) {
        guard isAsking, let trust = agent.trust else { return }
        timer?.cancel()
        errand(
            link, { () async throws(TunnelFailure) in try await trust.accept(certificate) },
            then: { owner, result in
                owner.isAsking = false
                switch result {
                case .success where owner.id == nil:
                    owner.agent.enrolled.poke()
                    link.close(.ordered("enrolled"))
                // The streams of this link go on; the next link shows the new certificate.
                case .success:
                    owner.agent.renewed()
                    owner.renewLater()
                case .failure(let failure) where owner.id == nil: link.close(.ordered(failure.message))
                case .failure(let failure):
                    owner.agent.world.log.warning(
                        "The new certificate could not be kept.", metadata: ["detail": "\(failure.message)"])
                    owner.renewSoon()
                }
            })
    }

    // A certificate at two thirds of its life, by the first link; a bearer token when the file has another one.
    private func renewLater() {
        guard let trust = agent.trust, number == 0 || trust.settings.bearerFile != nil else { return }
        guard trust.settings.bearerFile == nil else { return after(.seconds(60)) { $0.renewBearer(trust) } }
        guard let due = trust.renewal else { return }
        // At most an hour ahead: the calendar may be set.
        let wait = max(.zero, min(due - agent.world.time.wall, .seconds(3_600)))
        after(.nanoseconds(wait.nanoseconds)) { owner in
            guard owner.agent.world.time.wall >= due else { return owner.renewLater() }
            do throws(TunnelFailure) {
                let request = try trust.request()
                owner.isAsking = true
                owner.talk?.say(.certify(.init(request: request)))
            } catch {
                owner.renewSoon()
            }
        }
    }

    /// After an attempt that failed: several more fit into what is left of the certificate's life.
    private func renewSoon() {
        let left = agent.trust?.expiry.map { $0 - agent.world.time.wall } ?? .seconds(3_600)
        let wait = max(.seconds(1), min(.seconds(300), left / 8))
        after(.nanoseconds(wait.nanoseconds)) { $0.renewLater() }
    }

    private func renewBearer(_ trust: AgentTrust) {
        guard let link else { return }
        errand(
            link, { () async throws(TunnelFailure) in try await trust.bearer() },
            then: { owner, result in
                if case .success(let token?) = result, token != owner.shown ?? owner.bearer {
                    owner.shown = token
                    // Until it is refused, too.
                    owner.agent.renewed()
                    owner.talk?.say(.bearer(.init(token: token)))
                }
                owner.after(.seconds(60)) { $0.renewBearer(trust) }
            })
    }

    private var shown: String?

    // MARK: Time and errands

    private func after(_ time: TimeAmount, _ body: @escaping (AgentLinkOwner) -> Void) {
        timer?.cancel()
        timer = link?.loop?.assumeIsolated().scheduleTask(in: time) { [weak self] in
            if let self { body(self) }
        }
    }

    private func errand<Value: Sendable>(
        _ link: Link, _ work: @escaping @Sendable () async throws(TunnelFailure) -> Value,
        then: @escaping (AgentLinkOwner, Result<Value, TunnelFailure>) -> Void
    ) {
        guard let loop = link.loop else { return }
        agent.errands.run(work, on: loop, with: self, then: then)
    }

    // MARK: Streams

    func opened(_ stream: UInt32, on link: Link) {
        _ = DialingEnd(on: link, stream: stream) { [agent, weak link] request, end in
            guard let link else { return }
            agent.dial(request, end, on: link, stream: stream)
        }
    }

    func peerDrains(_ link: Link) { agent.hubDrains("the hub takes no more streams on this link", number: number) }

    func linkIsDown(_ link: Link, _ end: LinkEnd) {
        timer?.cancel()
        if let id { agent.left(id, end) }
        ended(refusal.map { .ordered($0.message) } ?? end)
    }
}
