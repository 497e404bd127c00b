internal import Logging
package import NIOCore
internal import NIOPosix
import Synchronization
package import WeirGates
package import WeirWorld

/// The other end of the tunnel: dials out to the hub, serves its targets from its own list, and comes back when a link
/// breaks.
package final class Agent: Sendable {
    package struct Settings: Sendable {
        /// How this agent is called; its certificate or token must say the same.
        package var id: String
        package var version = ""
        /// What it serves: a connector's name and where its target is.
        package var targets: [String: Target] = [:]
        /// Links to the hub at the same time; 1, at most 4.
        package var links = 1
        /// For a target to take a connection; 3 s as in the original.
        package var connectTimeout = Duration.seconds(3)
        /// Streams at the same time; 2,000 as in the original (`max_inflight_cids`). More are answered `busy`.
        package var streamsMost = 2_000
        package var session = Session.Settings(role: .client)
        /// For what is open when the agent stops; 30 s.
        package var drainMost = Duration.seconds(30)
        /// Between two attempts; full jitter, forgotten after 10 s of a good link.
        package var backoff = Backoff(first: .seconds(1), most: .seconds(30))

        package init(id: String) { self.id = id }
    }

    package struct Target: Sendable, Hashable {
        package var host: String
        package var port: Int
        /// Say to it who the client is, by the PROXY protocol, version 2, before the client's first byte.
        package var tellsClient = false

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    package let settings: Settings
    let world: World
    let observer: any TunnelObserver
    /// `nil`: nobody asks who this is (tests).
    let trust: AgentTrust?
    let errands = Errands()
    /// Poked when there is a certificate.
    let enrolled = Alarm()
    /// Which process this is, among those that call themselves by the same name.
    let instance: String
    private let dialler: any LinkDialler
    let targets: any TargetDialler
    private let group: any EventLoopGroup
    let state: Mutex<State>

    struct State {
        var links: [UInt64: LinkHandle] = [:]
        var nextLink: UInt64 = 1
        var streams = 0
        /// Names that the hub lets it serve.
        var served: Set<String> = []
        var refusal: TunnelFailure?
        /// Connected since, or away since.
        var since: WallTime
        /// By the number of the link that does not stand.
        var troubles: [Int: AgentLook.Trouble] = [:]
        /// The hub did not renew what is shown.
        var renewal: AgentLook.Trouble?
        /// By the number of their link: when the hub welcomed it.
        var welcomed: [Int: Moment] = [:]
        /// Resumed when the last link has ended.
        var idle: CheckedContinuation<Void, Never>?
        /// By the number of their link: told when the hub drains it.
        var draining: [Int: AsyncStream<LinkEvent>.Continuation] = [:]
    }

    /// What the keeper of a link waits for.
    enum LinkEvent: Sendable {
        /// The hub goes away or wants the link renewed: the next one is dialled while this one's streams go on.
        case drains(String)
        case ended(LinkEnd)
    }

    package init(
        _ settings: Settings, dialler: any LinkDialler, targets: any TargetDialler = SocketDialler(),
        trust: AgentTrust? = nil, observer: any TunnelObserver, world: World, eventLoops: any EventLoopGroup
    ) {
        self.settings = settings
        self.trust = trust
        self.dialler = dialler
        self.targets = targets
        self.observer = observer
        self.world = world
        instance = String(world.random.next(), radix: 16)
        group = eventLoops
        state = Mutex(State(since: world.time.wall))
    }

    /// True while at least one link is up: ready.
    package var isConnected: Bool { state.withLock { !$0.links.isEmpty } }
    /// Streams that are open or being dialled.
    var streamCount: Int { state.withLock { $0.streams } }
    package var served: [String] { state.withLock { $0.served.sorted() } }
    /// Why the hub does not take this agent; `nil` when it does, or was not asked yet.
    package var refusal: TunnelFailure? { state.withLock { $0.refusal } }

    var linksWanted: Int { max(1, min(4, settings.links)) }

    struct LookState {
        var isConnected: Bool
        var since: WallTime
        var links: Int
        var streams: Int
        /// Times that the link was tried in vain since it stood last.
        var attempts: Int
        var trouble: AgentLook.Trouble?
    }

    var lookState: LookState {
        state.withLock { state in
            let trouble = state.troubles.min { $0.key < $1.key }?.value
            return LookState(
                isConnected: !state.links.isEmpty, since: state.since, links: state.links.count,
                streams: state.streams, attempts: trouble?.attempts ?? 0, trouble: trouble ?? state.renewal)
        }
    }

    // MARK: Links

    /// Keeps the links up until the task is cancelled; then drains them, and gives what is open `drainMost` to end.
    package func run() async {
        if let trouble = trust?.trouble {
            world.log.error("\(trouble.message)", metadata: trouble.help.map { ["help": "\($0)"] } ?? [:])
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.errands.run() }
            await withTaskCancellationHandler {
                await withDiscardingTaskGroup { links in
                    for number in 0..<linksWanted {
                        links.addTask { await self.keep(number) }
                    }
                }
                // Those that the hub drains have their time, too.
                await drained()
            } onCancel: {
                stop()
            }
            errands.stop()
        }
    }

    private func stop() {
        let most = TimeAmount.nanoseconds(settings.drainMost.nanoseconds)
        for link in state.withLock({ $0.links.values.map(\.self) }) {
            link.drain()
            link.loop.scheduleTask(in: most) { link.close(.ordered("the agent has stopped")) }
        }
    }

    private func drained() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                if !state.links.isEmpty { state.idle = done }
                return state.links.isEmpty
            }
            if isIdle { done.resume() }
        }
    }

    private func keep(_ number: Int) async {
        var backoff = settings.backoff
        while !Task.isCancelled {
            // A token is good once: the first link enrols, for all of them.
            while number > 0, trust?.mustEnrol ?? false, !Task.isCancelled {
                await enrolled.wait(until: world.time.now + .seconds(5), world.time)
            }
            let end = await once(number)
            guard !Task.isCancelled else { return }
            // A hub that takes and drops is not hammered: only a link that stood for a while ends the back-off; and
            // only since its welcome, for a hub that is out of reach may take as long to say nothing.
            let welcomed = state.withLock { $0.welcomed.removeValue(forKey: number) }
            if let welcomed, world.time.now - welcomed >= backoff.stable { backoff = settings.backoff }
            if case .ordered("enrolled")? = end.link { continue }
            if end.asksForAnother || refusal != nil { dialler.moveOn() }
            if end.draining == nil { note(end, number) }
            let wait = backoff.failed(at: world.time.now, random: world.random)
            world.log.log(
                level: end.draining == nil ? .warning : .notice,
                end.draining == nil
                    ? "The link to the hub is down; it is dialled again."
                    : "The hub lets go of a link; the next one is dialled.",
                metadata: ["link": "\(number)", "reason": "\(end)", "retry.after": "\(wait.shortText)"]
                    .merging(end.help.map { ["help": "\($0)"] } ?? [:]) { $1 })
            try? await world.time.sleep(for: wait)
        }
    }

    /// For those who ask why there is no link.
    private func note(_ end: Ending, _ number: Int) {
        let (now, own) = (world.time.wall, trust?.trouble)
        state.withLock { state in
            let refusal = own ?? state.refusal
            let old = state.troubles[number]
            state.troubles[number] = AgentLook.Trouble(
                sentence: refusal?.message ?? end.description, help: refusal?.help ?? end.help,
                since: old?.since ?? now, attempts: (old?.attempts ?? 0) + 1)
        }
    }

    /// Why a link has to be dialled anew.
    private struct Ending: CustomStringConvertible {
        var link: LinkEnd?
        var failure: TunnelFailure?
        /// The link still stands; its streams go on.
        var draining: String?
        /// The hub goes away, or nothing came from it any more.
        var asksForAnother: Bool { draining != nil || link == .silent }
        var help: String? { failure?.help ?? link.flatMap { DialTrouble.advice(on: $0) } }
        var description: String { failure?.message ?? draining ?? link.map { "\($0)" } ?? "" }
    }

    /// One link from its dial to its end, or to the beginning of its drain: what is open on it then goes on.
    private func once(_ number: Int) async -> Ending {
        let (events, into) = AsyncStream<LinkEvent>.makeStream()
        let loop = group.next()
        do throws(TunnelFailure) {
            let bearer = try await trust?.bearer()
            let channel = try await dialler.dial(on: loop) { channel in
                let owner = AgentLinkOwner(number: number, agent: self, bearer: bearer) { into.yield(.ended($0)) }
                let link = Link(
                    self.settings.session, owner: owner, random: self.world.random, at: channel.eventLoop.now)
                owner.link = link
                try channel.pipeline.syncOperations.addHandler(link)
            }
            state.withLock { $0.draining[number] = into }
            return await withTaskCancellationHandler {
                for await event in events {
                    switch event {
                    case .ended(let end): return Ending(link: end)
                    case .drains(let reason): return Ending(draining: reason)
                    }
                }
                // Cancelled: what is open has its time to end.
                try? await channel.closeFuture.get()
                return Ending(link: .drained)
            } onCancel: {
                let most = TimeAmount.nanoseconds(settings.drainMost.nanoseconds)
                channel.eventLoop.execute {
                    try? channel.pipeline.syncOperations.handler(type: Link.self).drain()
                    channel.eventLoop.assumeIsolated().scheduleTask(in: most) { channel.close(promise: nil) }
                }
            }
        } catch {
            return Ending(failure: error)
        }
    }

    /// The hub lets go of a link: the next one is dialled while the streams of this one go on.
    func hubDrains(_ reason: String, number: Int) {
        _ = state.withLock { $0.draining.removeValue(forKey: number) }?.yield(.drains(reason))
    }

    func refused(_ failure: TunnelFailure) {
        var failure = failure
        // What is wrong here says more than that the hub has seen nothing.
        if failure.code == "no_proof", let trouble = trust?.trouble {
            (failure.message, failure.help) = (trouble.message, trouble.help)
        } else {
            failure.help = RefusalAdvice.text(failure.code, agent: settings.id)
        }
        state.withLock { [failure] in $0.refusal = failure }
        world.log.error(
            "The hub refuses this agent.",
            metadata: ["reason": "\(failure.code)", "detail": "\(failure.message)"]
                .merging(failure.help.map { ["help": "\($0)"] } ?? [:]) { $1 })
    }

    /// What was shown before is still good, until its end; it is tried again.
    func renewalRefused(_ failure: TunnelFailure) {
        let (now, help) = (world.time.wall, RefusalAdvice.text(failure.code, agent: settings.id))
        state.withLock { state in
            let old = state.renewal
            state.renewal = AgentLook.Trouble(
                sentence: "The hub did not renew what this agent shows: \(failure.message)", help: help,
                since: old?.since ?? now, attempts: (old?.attempts ?? 0) + 1)
        }
        world.log.error(
            "The hub did not renew what the agent shows.",
            metadata: [
                "reason": "\(failure.code)", "detail": "\(failure.message)",
                "good.until": "\(trust?.expiry?.description ?? "unknown")",
            ].merging(help.map { ["help": "\($0)"] } ?? [:]) { $1 })
    }

    func renewed() { state.withLock { $0.renewal = nil } }

    func joined(_ link: Link, loop: any EventLoop, number: Int, connectors: [String]) -> UInt64 {
        let (now, wall) = (world.time.now, world.time.wall)
        let id = state.withLock { state in
            if state.links.isEmpty { state.since = wall }
            state.welcomed[number] = now
            state.troubles[number] = nil
            state.renewal = nil
            let id = state.nextLink
            state.nextLink += 1
            state.links[id] = LinkHandle(link, loop: loop, id: id)
            state.served = Set(connectors)
            state.refusal = nil
            return id
        }
        observer.agentJoined(settings.id, connectors: connectors, link: id)
        world.log.notice("Connected to the hub.", metadata: ["connectors": "\(connectors.joined(separator: ", "))"])
        let left = settings.targets.keys.filter { !connectors.contains($0) }.sorted()
        guard !left.isEmpty else { return id }
        world.log.warning(
            "The hub lets this agent not serve all of its targets.",
            metadata: [
                "connectors": "\(left.joined(separator: ", "))",
                "help": "\(RefusalAdvice.text("connector_not_allowed", agent: settings.id) ?? "")",
            ])
        return id
    }

    func left(_ id: UInt64, _ end: LinkEnd) {
        let now = world.time.wall
        let (wasLast, idle) = state.withLock { state in
            state.links[id] = nil
            guard state.links.isEmpty else { return (false, nil as CheckedContinuation<Void, Never>?) }
            state.since = now
            return (true, state.idle.take())
        }
        defer { idle?.resume() }
        observer.agentLeft(settings.id, link: id, end, wasLast: wasLast)
    }
}
