internal import NIOCore
internal import WeirWorld

/// The hub's side of one link: the conversation with the agent, from `hello` to its end. On the link's event loop.
final class HubLinkOwner: Link.Owner {
    private let identity: AgentIdentity
    private let address: String?
    private let hub: Hub
    private let id: UInt64
    private var talk: Talk?
    private var handle: LinkHandle?
    private var agent: String?
    private var deadline: Scheduled<Void>?

    init(_ identity: AgentIdentity, address: String?, id: UInt64, hub: Hub) {
        self.identity = identity
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
        guard talk == nil else { return link.reset(stream, .notAllowed) }
        talk = Talk(on: link, stream: stream) { [weak self, weak link] message in
            guard let self, let link else { return }
            heard(message, link)
        }
    }

    private func heard(_ message: ControlMessage?, _ link: Link) {
        switch message {
        case .hello(let hello): greet(hello, link)
        case .certify(let wish): certify(wish)
        case .drain: if let agent { hub.drains(agent, link: id) }
        case nil: link.close(.ordered("the agent ended the conversation"))
        case .welcome, .certificate, .refused, .unknown: break
        }
    }

    private func greet(_ hello: ControlMessage.Hello, _ link: Link) {
        guard agent == nil, let handle else { return }
        guard hello.agent == identity.agent else {
            return refuse(
                link, "agent_mismatch",
                "This is `\(identity.agent)` by its \(identity.proof), but says `\(hello.agent)`.")
        }
        let connectors = identity.allowed(hello.connectors)
        guard !connectors.isEmpty || hello.connectors.isEmpty else {
            return refuse(
                link, "connector_not_allowed",
                "`\(hello.agent)` may serve none of \(hello.connectors.map { "`\($0)`" }.joined(separator: ", ")).")
        }
        agent = hello.agent
        deadline?.cancel()
        hub.joined(
            AgentRoster.Agent(
                id: hello.agent, version: hello.version, connectors: Set(connectors), since: hub.world.time.wall,
                links: [], certificateExpiry: identity.expiry, address: address), handle)
        talk?.say(.welcome(.init(hub: hub.settings.name, version: hub.settings.version, connectors: connectors)))
    }

    private func refuse(_ link: Link, _ code: String, _ message: String) {
        hub.refused(identity, code: code, message: message)
        talk?.say(.refused(.init(code: code, message: message)))
        // Time for the message to leave.
        _ = link.loop?.assumeIsolated().scheduleTask(in: .milliseconds(200)) { link.close(.ordered(message)) }
    }

    private func certify(_ wish: ControlMessage.Certify) {
        guard agent != nil, let loop = handle?.loop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let identity = identity
        hub.certify(wish.request, for: identity) { result in
            loop.execute {
                switch result {
                case .success(let certificate): bound.value.talk?.say(.certificate(certificate))
                case .failure(let failure):
                    bound.value.talk?.say(.refused(.init(code: failure.code, message: failure.message)))
                }
            }
        }
    }

    func peerDrains(_ link: Link) { if let agent { hub.drains(agent, link: id) } }

    func linkIsDown(_ link: Link, _ end: LinkEnd) {
        deadline?.cancel()
        if let agent { hub.left(agent, link: id, end) }
    }
}
