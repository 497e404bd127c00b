import WeirTunnel
import WeirWorld

/// An agent as its own `/status` shows it. Times are RFC 3339, UTC; what is not known is left out.
package struct AgentSelfView: Codable, Sendable, Hashable {
    package struct TargetView: Codable, Sendable, Hashable {
        package var connector: String
        package var address: String
        package var served: Bool
    }

    package struct TroubleView: Codable, Sendable, Hashable {
        package var sentence: String
        package var help: String?
        package var since: String
        package var attempts: Int
    }

    package var name: String
    package var version: String
    package var connected: Bool
    /// Connected since, or away since.
    package var since: String
    package var links: Int
    package var linksWanted: Int
    package var streams: Int
    package var targets: [TargetView]
    package var certificateExpiry: String?
    package var certificateRenewal: String?
    package var trouble: TroubleView?

    init(_ look: AgentLook) {
        name = look.name
        version = look.version
        connected = look.isConnected
        since = look.since.description
        links = look.links
        linksWanted = look.linksWanted
        streams = look.streams
        targets = look.targets.map { TargetView(connector: $0.connector, address: $0.address, served: $0.isServed) }
        certificateExpiry = look.certificateExpiry?.description
        certificateRenewal = look.certificateRenewal?.description
        trouble = look.trouble.map {
            TroubleView(sentence: $0.sentence, help: $0.help, since: $0.since.description, attempts: $0.attempts)
        }
    }
}

extension Listing {
    /// What `weir agent status` prints.
    package static func agentStatus(_ agent: AgentSelfView) -> WhyText {
        var lines = [WhyText.Line("links", "\(agent.links) of \(agent.linksWanted)")]
        for target in agent.targets {
            let note =
                target.served ? "" : agent.connected ? "the hub does not let it serve this" : "not while it is away"
            lines.append(WhyText.Line("serves", "\(target.connector) at \(target.address)", note: note))
        }
        lines.append(WhyText.Line("open", "\(agent.streams)"))
        if let expiry = agent.certificateExpiry {
            lines.append(
                WhyText.Line("certificate", "ends \(expiry)", note: "renewed \(agent.certificateRenewal ?? "")"))
        }
        if let trouble = agent.trouble {
            let times = trouble.attempts == 1 ? "tried once" : "tried \(trouble.attempts) times"
            lines.append(WhyText.Line("trouble", trouble.sentence))
            lines.append(WhyText.Line("since", trouble.since, note: times))
            if let help = trouble.help { lines.append(WhyText.Line("what helps", help)) }
        } else {
            lines.append(WhyText.Line("trouble", agent.connected ? "none" : "it has not reached the hub yet"))
        }
        let state = agent.connected ? "connected" : "not connected"
        return WhyText(headline: "agent \(agent.name) is \(state) since \(agent.since)", lines: lines)
    }
}
