package import WeirWorld

/// Which agents this hub has, and who has the others: the decisions of one hub of a mesh. A value; `Mesh` carries it
/// out.
///
/// - A hub **claims** an agent that connects to it, and gets a number (`OwnershipEpoch`) that is higher than any
///   before. The last claim wins: an agent is where it has connected last.
/// - What it has is its own for a **lease** after the last beat that the registry has answered, counted from when that
///   beat was sent; it is never longer than the registry's, which counts from when it came. A hub that was paused for
///   longer has nothing until it has claimed anew, and then under a higher number.
/// - A **forward** of another hub names the number under which it believes that we have the agent. Anything but exactly
///   ours, within our lease, is stale and refused. So an old view does no harm, whoever holds it.
/// - An agent that is also connected elsewhere (several links through a balancer) belongs to the hub that claimed it
///   last. The others keep their links for clients of their own, and claim it when it becomes free.
package struct Ownership: Sendable {
    package struct Settings: Sendable, Hashable {
        package var hub: String
        /// Another one for each start.
        package var instance: String
        package var address: String
        /// 10 s. Forwards find the new owner after so long, when an owner dies without a word.
        package var lease = Duration.seconds(10)

        package init(hub: String, instance: String, address: String) {
            self.hub = hub
            self.instance = instance
            self.address = address
        }
    }

    private struct Local: Sendable {
        var connectors: Set<String>
        var process: String
        /// Has connected since the last answered claim: it is claimed from whoever has it. Says when, in beats.
        var isFresh: UInt64?
    }

    /// A beat that was sent, and has to be told how it went.
    package struct Sent: Sendable {
        package var beat: RegistryBeat
        fileprivate var turn: UInt64
        fileprivate var at: Moment
    }

    package struct Route: Sendable, Hashable {
        package var agent: String
        package var hub: String
        package var epoch: OwnershipEpoch
    }

    package enum Judgement: Sendable, Hashable {
        case ours
        /// Another epoch, another hub, or our lease has ended.
        case stale
    }

    package private(set) var settings: Settings
    private var local: [String: Local] = [:]
    private var releases: Set<String> = []
    private var turn: UInt64 = 0
    /// Of the last answer that counted: one that comes after a later one's says nothing new.
    private var answeredTurn: UInt64?
    private var floor: UInt64 = 0
    private var known: RegistryVersion?
    package private(set) var view = RegistryView()
    /// Until when the last answered beat is good.
    private var leaseEnd: Moment?
    /// Another process goes by our name.
    package private(set) var isNameTaken = false
    /// Why the last beat was not answered; `nil` when it was.
    package private(set) var failure: String?

    package init(_ settings: Settings) { self.settings = settings }

    // MARK: What happens here

    /// The system has chosen the port.
    mutating func listens(at address: String) { settings.address = address }

    package mutating func joined(_ agent: String, connectors: Set<String>, process: String?) {
        local[agent] = Local(connectors: connectors, process: process ?? "", isFresh: turn)
        releases.remove(agent)
    }

    /// Its last link has gone.
    package mutating func left(_ agent: String) {
        guard local.removeValue(forKey: agent) != nil else { return }
        releases.insert(agent)
    }

    // MARK: The registry

    /// - Parameter incarnation: random; for a registry that is empty.
    package mutating func beat(at now: Moment, incarnation: String) -> Sent {
        var beat = RegistryBeat(
            hub: settings.hub, instance: settings.instance, address: settings.address, lease: settings.lease,
            incarnation: incarnation)
        beat.floor = floor
        beat.known = known
        beat.releases = releases.sorted()
        beat.claims = local.sorted { $0.key < $1.key }.compactMap { agent, local in
            var claim = RegistryBeat.Claim(
                agent: agent, connectors: local.connectors.sorted(), process: local.process, isOnlyIfFree: true)
            guard local.isFresh == nil else {
                claim.isOnlyIfFree = false
                return claim
            }
            return view.owner(of: agent) == nil ? claim : nil
        }
        defer { turn += 1 }
        return Sent(beat: beat, turn: turn, at: now)
    }

    /// The hub stops: what it has is free at once.
    package mutating func leave(at now: Moment, incarnation: String) -> Sent {
        local = [:]
        var sent = beat(at: now, incarnation: incarnation)
        sent.beat.isLeaving = true
        return sent
    }

    /// - Returns: agents that other processes of theirs have taken elsewhere: what they have here is dead.
    package mutating func answered(_ answer: RegistryAnswer, to sent: Sent) -> [String] {
        guard sent.turn >= answeredTurn ?? 0 else { return [] }
        answeredTurn = sent.turn
        failure = nil
        isNameTaken = answer.isNameTaken
        guard !answer.isNameTaken else { return [] }
        known = answer.version
        if let view = answer.view { self.view = view }
        floor = max(floor, view.agents.values.map(\.number).max() ?? 0)
        leaseEnd = sent.beat.isLeaving ? nil : sent.at + settings.lease
        releases.subtract(sent.beat.releases)
        var dead: [String] = []
        for (agent, here) in local {
            guard let fresh = here.isFresh, fresh > sent.turn else {
                local[agent]?.isFresh = nil
                guard let owner = view.owner(of: agent), owner.hub != settings.hub else { continue }
                if !owner.process.isEmpty, !here.process.isEmpty, owner.process != here.process { dead.append(agent) }
                continue
            }
        }
        return dead.sorted()
    }

    package mutating func failed(_ message: String) { failure = message }

    /// There is something that the registry should hear at once.
    package var isUrgent: Bool {
        !releases.isEmpty || local.contains { $0.value.isFresh != nil || view.owner(of: $0.key) == nil }
    }

    // MARK: Looks

    /// The registry has answered within a lease: who has whom is known.
    package func isLeased(at now: Moment) -> Bool { leaseEnd.map { now < $0 } ?? false }

    /// Under what number this hub has an agent now; `nil` when it does not.
    package func epoch(of agent: String, at now: Moment) -> OwnershipEpoch? {
        guard isLeased(at: now), local[agent] != nil, let known, let owner = view.owner(of: agent),
            owner.hub == settings.hub, owner.instance == settings.instance
        else { return nil }
        return OwnershipEpoch(incarnation: known.incarnation, number: owner.number)
    }

    /// How many agents this hub has.
    package func owned(at now: Moment) -> Int { local.keys.count { epoch(of: $0, at: now) != nil } }

    /// Agents elsewhere that serve a connector, by name.
    package func routes(to connector: String, at now: Moment) -> [Route] {
        guard isLeased(at: now), let known else { return [] }
        return view.agents.keys.sorted().compactMap { agent in
            guard let owner = view.owner(of: agent), owner.hub != settings.hub, owner.connectors.contains(connector)
            else { return nil }
            let epoch = OwnershipEpoch(incarnation: known.incarnation, number: owner.number)
            return Route(agent: agent, hub: owner.hub, epoch: epoch)
        }
    }

    /// What a forward is worth that another hub has sent.
    package func judge(_ forward: Forward, at now: Moment) -> Judgement {
        guard forward.owner == settings.hub, let epoch = epoch(of: forward.agent, at: now), epoch == forward.epoch
        else { return .stale }
        return .ours
    }

    /// Other hubs, by name.
    package var peers: [String: RegistryView.Hub] { view.hubs.filter { $0.key != settings.hub } }
}

/// What a hub adds to an open that it forwards to another. A hub that gets one opens it on a link of its own, or
/// refuses it; it never forwards it.
package struct Forward: Sendable, Hashable, Codable {
    package var agent: String
    /// Whom the sender takes for the owner.
    package var owner: String
    package var epoch: OwnershipEpoch

    package init(agent: String, owner: String, epoch: OwnershipEpoch) {
        self.agent = agent
        self.owner = owner
        self.epoch = epoch
    }
}
