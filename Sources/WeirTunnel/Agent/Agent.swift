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
    private let targets: any TargetDialler
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    private struct State {
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
        /// By the number of their link: told when the hub drains it.
        var draining: [Int: AsyncStream<LinkEvent>.Continuation] = [:]
    }

    /// What the keeper of a link waits for.
    private enum LinkEvent: Sendable {
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
        var trouble: AgentLook.Trouble?
    }

    var lookState: LookState {
        state.withLock { state in
            LookState(
                isConnected: !state.links.isEmpty, since: state.since, links: state.links.count,
                streams: state.streams, trouble: state.troubles.min { $0.key < $1.key }?.value)
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
            await withDiscardingTaskGroup { links in
                for number in 0..<linksWanted {
                    links.addTask { await self.keep(number) }
                }
            }
            errands.stop()
        }
    }

    private func keep(_ number: Int) async {
        var backoff = settings.backoff
        while !Task.isCancelled {
            // A token is good once: the first link enrols, for all of them.
            while number > 0, trust?.mustEnrol ?? false, !Task.isCancelled {
                await enrolled.wait(until: world.time.now + .seconds(5), world.time)
            }
            let began = world.time.now
            let end = await once(number)
            guard !Task.isCancelled else { return }
            // A hub that takes and drops is not hammered: only a link that stood for a while ends the back-off.
            if world.time.now - began >= backoff.stable { backoff = settings.backoff }
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

    func joined(_ link: Link, loop: any EventLoop, number: Int, connectors: [String]) -> UInt64 {
        let now = world.time.wall
        let id = state.withLock { state in
            if state.links.isEmpty { state.since = now }
            state.troubles[number] = nil
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
        let wasLast = state.withLock { state in
            state.links[id] = nil
            if state.links.isEmpty { state.since = now }
            return state.links.isEmpty
        }
        observer.agentLeft(settings.id, link: id, end, wasLast: wasLast)
    }

    // MARK: Targets

    /// Dials what the hub asked for, if this agent serves it. On the link's event loop.
    func dial(_ request: OpenRequest, _ end: DialingEnd, on link: Link, stream: UInt32) {
        guard let target = settings.targets[request.connector] else {
            observer.openRefused(.notAllowed)
            return end.failed(.notAllowed)
        }
        guard
            state.withLock({ state in
                guard state.streams < settings.streamsMost else { return false }
                state.streams += 1
                return true
            }), let loop = link.loop
        else {
            observer.openRefused(.busy)
            return end.failed(.busy)
        }
        let opening = ConnectionOpening(
            connector: request.connector, listener: request.listener ?? "", client: request.client, agent: settings.id,
            since: world.time.wall, decision: request.decision)
        let socket = SocketEnd(link: link, stream: stream, meter: observer.meter(opening)) { [weak self] _ in
            self?.state.withLock { $0.streams -= 1 }
        }
        let began = world.time.now
        targets.dial(target, for: request, on: loop, within: .nanoseconds(settings.connectTimeout.nanoseconds))
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    observer.dialled(request.connector, nil, after: world.time.now - began)
                    guard !end.isGone else {
                        socket.reset(.socketReset)
                        // Its client was reset while this was dialled; so is the target.
                        return SocketEnd.cut(channel)
                    }
                    if target.tellsClient {
                        let header = ByteBuffer(bytes: request.proxyHeader)
                        channel.writeAndFlush(header, promise: nil)
                    }
                    end.connected(socket)
                    try? channel.pipeline.syncOperations.addHandler(socket)
                case .failure(let error):
                    let status = DialStatus(error)
                    observer.dialled(request.connector, status.reason, after: world.time.now - began)
                    socket.reset(status.reason ?? .unreachable)
                    end.failed(status)
                }
            }
    }
}

extension DialStatus {
    /// What a failed dial says about the target.
    init(_ error: any Error) {
        switch error {
        case let error as IOError where error.errnoCode == ECONNREFUSED: self = .refused
        case let error as NIOConnectionError:
            let inner = error.connectionErrors.map(\.error)
            if inner.contains(where: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }) {
                self = .refused
            } else if inner.contains(where: { $0 is ChannelError }) {
                self = .timedOut
            } else {
                self = .unreachable
            }
        case ChannelError.connectTimeout: self = .timedOut
        default: self = .unreachable
        }
    }
}
