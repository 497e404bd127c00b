package import WeirWorld

/// An agent as it sees itself now, for its own page of health and for `weir agent status`.
package struct AgentLook: Sendable {
    package struct Target: Sendable, Hashable {
        package var connector: String
        /// `127.0.0.1:389`.
        package var address: String
        /// False while the hub does not let this agent serve it, or is away.
        package var isServed: Bool
    }

    /// Why a link does not stand, or will not stand for long.
    package struct Trouble: Sendable, Hashable {
        package var sentence: String
        /// What to do.
        package var help: String?
        /// When it was tried for the first time in vain.
        package var since: WallTime
        /// Times that it was tried since.
        package var attempts: Int
    }

    package var name: String
    package var version: String
    package var isConnected: Bool
    /// Connected since, or away since.
    package var since: WallTime
    package var links: Int
    package var linksWanted: Int
    package var streams: Int
    package var targets: [Target]
    package var certificateExpiry: WallTime?
    package var certificateRenewal: WallTime?
    /// Times that the link was tried in vain since it stood last.
    package var linkAttempts: Int
    /// `nil` when all links stand and what is shown was not refused to be renewed.
    package var trouble: Trouble?
}

extension Agent {
    package var look: AgentLook {
        let state = lookState
        let served = Set(state.isConnected ? served : [])
        return AgentLook(
            name: settings.id, version: settings.version, isConnected: state.isConnected, since: state.since,
            links: state.links, linksWanted: linksWanted, streams: state.streams,
            targets: settings.targets.sorted { $0.key < $1.key }.map { name, target in
                .init(
                    connector: name, address: HostPort(host: target.host, port: target.port).description,
                    isServed: served.contains(name))
            },
            certificateExpiry: trust?.expiry, certificateRenewal: trust?.renewal, linkAttempts: state.attempts,
            trouble: state.trouble)
    }
}
