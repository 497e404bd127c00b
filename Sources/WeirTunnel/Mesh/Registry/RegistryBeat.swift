internal import WeirWorld

/// Which hub has an agent, since which claim: the fencing number. Numbers rise within an incarnation of the registry; a
/// registry that has lost what it knew is another incarnation, so that no number is given twice.
package struct OwnershipEpoch: Sendable, Hashable, Codable, CustomStringConvertible {
    package var incarnation: String
    package var number: UInt64

    package init(incarnation: String, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }

    package var description: String { "\(number)" }
}

/// What a hub tells the registry, about once a second: one message, acted on whole or not at all.
package struct RegistryBeat: Sendable, Hashable {
    package struct Claim: Sendable, Hashable {
        package var agent: String
        package var connectors: [String]
        /// Which process of the agent; empty when it does not say.
        package var process: String
        /// Only when nobody has it. Otherwise the claim is of an agent that has just connected: the last one wins.
        package var isOnlyIfFree: Bool
    }

    package var hub: String
    /// Another one for each start of the hub.
    package var instance: String
    /// Where other hubs reach its mesh.
    package var address: String
    /// What the hub has is its own for so long after this, and no longer.
    package var lease: Duration
    /// The highest number that the hub has seen: the next claim gets a higher one, whatever the registry has lost.
    package var floor: UInt64 = 0
    /// For a registry that has none: an empty one becomes a new incarnation.
    package var incarnation: String
    /// What of the registry the hub has seen; the answer has a view when there is something newer.
    package var known: RegistryVersion?
    package var releases: [String] = []
    package var claims: [Claim] = []
    /// The hub stops: all that it has is free.
    package var isLeaving = false
}

package struct RegistryVersion: Sendable, Hashable {
    package var incarnation: String
    package var number: UInt64

    package init(incarnation: String, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }
}

package struct RegistryAnswer: Sendable, Hashable {
    package var version: RegistryVersion
    /// Rises with each change of the hubs' common book of agents.
    package var book: UInt64 = 0
    /// Another process goes by the hub's name, and its lease runs: nothing was done.
    package var isNameTaken = false
    /// `nil` when the hub knows it.
    package var view: RegistryView?

    package init(version: RegistryVersion) { self.version = version }
}

/// Who is there and who has whom, as one answer of the registry told it.
package struct RegistryView: Sendable, Hashable {
    package struct Hub: Sendable, Hashable {
        package var instance: String
        package var address: String

        package init(instance: String, address: String) {
            self.instance = instance
            self.address = address
        }
    }

    package struct Owner: Sendable, Hashable {
        package var hub: String
        package var instance: String
        package var number: UInt64
        package var connectors: Set<String>
        package var process: String

        package init(hub: String, instance: String, number: UInt64, connectors: Set<String>, process: String) {
            self.hub = hub
            self.instance = instance
            self.number = number
            self.connectors = connectors
            self.process = process
        }
    }

    package var hubs: [String: Hub] = [:]
    package var agents: [String: Owner] = [:]

    package init() {}

    /// Who has an agent, when the hub that has it is there.
    package func owner(of agent: String) -> Owner? {
        guard let owner = agents[agent], hubs[owner.hub]?.instance == owner.instance else { return nil }
        return owner
    }
}

/// What several hubs agree on.
package protocol MeshRegistry: Sendable {
    func beat(_ beat: RegistryBeat) async throws(TunnelFailure) -> RegistryAnswer
    /// Puts a record when there is none of that name.
    /// - Returns: the record that is there then.
    func settle(_ name: String, _ record: [UInt8]) async throws(TunnelFailure) -> [UInt8]
    func record(_ id: String, in collection: String) async throws(TunnelFailure) -> [UInt8]?
    /// Once over all hubs.
    /// - Returns: false when another hub has spent it.
    func spend(_ id: String, by hub: String) async throws(TunnelFailure) -> Bool
    func records(in collection: String) async throws(TunnelFailure) -> [String: [UInt8]]
    /// Puts a record in the place of the one that was read (`nil`: none; a new `nil`: none any more).
    /// - Returns: false when it is another by now.
    func exchange(
        _ collection: String, _ id: String, from old: [UInt8]?, to new: [UInt8]?
    ) async throws(TunnelFailure) -> Bool
}
