internal import NIOCore

/// The agent's side of one link: says hello, and dials for the streams that the hub opens. On the link's event loop.
final class AgentLinkOwner: Link.Owner {
    private let number: Int
    private let agent: Agent
    private let ended: (LinkEnd) -> Void
    weak var link: Link?
    private var talk: Talk?
    private var id: UInt64?
    private var refusal: String?
    private var deadline: Scheduled<Void>?

    init(number: Int, agent: Agent, ended: @escaping (LinkEnd) -> Void) {
        self.number = number
        self.agent = agent
        self.ended = ended
    }

    func linkIsUp(_ link: Link) {
        guard let loop = link.loop else { return }
        do throws(Session.OpenRefusal) {
            talk = try Talk(opensOn: link) { [weak self] message in self?.heard(message) }
        } catch {
            return link.close(.failed("no stream for the conversation"))
        }
        var hello = ControlMessage.Hello(
            agent: agent.settings.id, version: agent.settings.version,
            connectors: agent.settings.targets.keys.sorted())
        hello.link = number
        hello.links = agent.settings.links
        talk?.say(.hello(hello))
        deadline = loop.assumeIsolated().scheduleTask(in: .seconds(10)) { [weak self] in
            guard self?.id == nil else { return }
            self?.link?.close(.ordered("the hub said no welcome within 10 s"))
        }
    }

    private func heard(_ message: ControlMessage?) {
        guard let link, let loop = link.loop else { return }
        switch message {
        case .welcome(let welcome):
            guard id == nil else { return }
            deadline?.cancel()
            id = agent.joined(link, loop: loop, connectors: welcome.connectors)
        case .refused(let refused):
            refusal = refused.message
        case .drain: link.drain()
        case nil: link.close(.ordered(refusal ?? "the hub ended the conversation"))
        case .hello, .certify, .certificate, .unknown: break
        }
    }

    func opened(_ stream: UInt32, on link: Link) {
        _ = DialingEnd(on: link, stream: stream) { [agent, weak link] request, end in
            guard let link else { return }
            agent.dial(request, end, on: link, stream: stream)
        }
    }

    func peerDrains(_ link: Link) {}

    func linkIsDown(_ link: Link, _ end: LinkEnd) {
        deadline?.cancel()
        if let id { agent.left(id, end) }
        ended(refusal.map { .ordered($0) } ?? end)
    }
}
