internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
internal import WeirCalls
internal import WeirGates
internal import WeirWires
internal import WeirWorld

/// The connection and its lanes.
extension RabbitBroker {
    func keepConnected() async {
        var backoff = Backoff(first: .seconds(1), most: .seconds(30))
        while !Task.isCancelled, !state.withLock({ $0.isStopping }) {
            let began = world.time.now
            let trouble = await connectOnce()
            if state.withLock({ $0.isStopping }) { return }
            note(trouble)
            if world.time.now - began > .seconds(60) { backoff = Backoff(first: .seconds(1), most: .seconds(30)) }
            let pause = backoff.failed(at: world.time.now, random: world.random)
            await stopping.wait(until: world.time.now + pause, world.time)
        }
    }

    /// - Returns: why the connection could not be made, or ended.
    private func connectOnce() async -> BrokerTrouble {
        let number = state.withLock { state in
            state.connections += 1
            return state.connections
        }
        let session = sessionSettings(number)
        let loop = group.next()
        let closed = loop.makePromise(of: BrokerTrouble.self)
        let events = BrokerHandler.Events(
            opened: { [weak self] in self?.opened($0, $1) }, laneEnded: { [weak self] in self?.laneEnded($0, $1) },
            closed: { closed.succeed($0) })
        let intake = BrokerIntake(
            inbox: inbox, spools: spools, book: connectors.book, world: world,
            ready: { [connectors] in connectors.workers.ready($0) })
        let address = settings.address
        let peer = "RabbitMQ at \(address.host):\(address.port)"
        do {
            let tls = address.usesTLS ? try NIOSSLContext(configuration: settings.tls) : nil
            let channel = try await ClientBootstrap(group: loop)
                .connectTimeout(.seconds(10))
                .channelOption(.autoRead, value: false)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { [inbox, serverName = settings.serverName, time = world.time] channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            let host = SocketAddress.isLiteral(address.host) ? nil : address.host
                            let name = serverName.isEmpty ? host : serverName
                            try channel.pipeline.syncOperations.addHandler(
                                try NIOSSLClientHandler(context: tls, serverHostname: name))
                        }
                        try channel.pipeline.syncOperations.addHandler(
                            BrokerHandler(
                                session, inbox: inbox, intake: intake, events: events,
                                fault: { BrokerTrouble(.of($0, peer: peer, at: time.wall, in: $1)) },
                                now: channel.eventLoop.now))
                    }
                }
                .connect(host: address.host, port: address.port).get()
            let trouble = await withTaskCancellationHandler {
                (try? await closed.futureResult.get()) ?? BrokerTrouble(.stopped, "Weir stops.")
            } onCancel: {
                channel.close(promise: nil)
            }
            lost(trouble)
            return trouble
        } catch {
            // Its handler, if there is one, has said so too; that changes nothing.
            closed.succeed(BrokerTrouble(.unreachable, ""))
            let trouble = BrokerTrouble(NetworkReason.of(error, peer: peer))
            lost(trouble)
            return trouble
        }
    }

    private func sessionSettings(_ number: UInt64) -> BrokerSession.Settings {
        var session = BrokerSession.Settings()
        session.vhost = settings.address.vhost
        session.user = settings.address.user
        session.password = settings.address.password
        session.version = settings.version
        session.connection = number
        return session
    }

    /// Loud once for each trouble, however often it is tried.
    private func note(_ trouble: BrokerTrouble) {
        let isNew = state.withLock { state in
            defer { state.said = trouble }
            return state.said != trouble
        }
        world.log.log(
            level: isNew ? .warning : .debug, "Weir is not connected with RabbitMQ; it tries again",
            metadata: ["error.kind": "\(trouble.code.rawValue)", "error": "\(trouble.sentence)"])
    }

    private func opened(_ link: BrokerLink, _ version: String) {
        let ids = state.withLock { state in
            state.link = link
            state.said = nil
            state.hasDeliveryLimit = (version.split(separator: ".").first.flatMap { Int($0) } ?? 0) >= 4
            for id in state.wants.keys { state.wants[id]?.phase = .idle }
            return state.wants.keys.sorted()
        }
        world.log.notice(
            "Weir is connected with RabbitMQ", metadata: ["broker.version": "\(version)", "connectors": "\(ids.count)"])
        for id in ids { openLane(id) }
        lookSoon()
    }

    private func lost(_ trouble: BrokerTrouble) {
        let (ids, waiting) = state.withLock { state -> ([ConnectorID], [Alarm]) in
            state.link = nil
            if state.isStopping { return ([], state.takeWaiting()) }
            state.trouble = trouble
            for id in state.wants.keys { state.wants[id]?.phase = .idle }
            return (state.wants.keys.sorted(), state.takeWaiting())
        }
        for id in ids { set(.unknown(trouble.reason), of: id) }
        for alarm in waiting { alarm.poke() }
    }

    // MARK: Lanes

    func want(_ id: ConnectorID, _ alarm: Alarm? = nil) {
        let (isNew, trouble) = state.withLock { state in
            let isNew = state.wants[id] == nil
            if isNew { state.wants[id] = Want() }
            if let alarm { state.wants[id]?.waiting.append(alarm) }
            return (isNew, state.link == nil ? state.trouble : BrokerTrouble(.unmeasured, "Its queue is being made."))
        }
        if isNew { set(.unknown(trouble.reason), of: id) }
    }

    /// Opens the lane of a connector that has none, where there is a connection.
    func openLane(_ id: ConnectorID) {
        guard let registration = connectors.book.with({ $0.registry[id]?.record.registration }) else { return }
        let order = state.withLock { state -> (link: BrokerLink, steps: [AMQPMethod])? in
            guard let link = state.link, let want = state.wants[id] else { return nil }
            switch want.phase {
            case .opening, .consuming: return nil
            case .idle, .failed: break
            }
            state.wants[id]?.phase = .opening
            return (link, topology(state).consuming(registration, foreign: want.foreign))
        }
        guard let order else { return }
        order.link.execute { handler in
            handler.open(id, order.steps, isOneOff: false) { [weak self] in self?.laneAnswered(id, $0) }
        }
    }

    func topology(_ state: borrowing State) -> BrokerTopology {
        BrokerTopology(
            queueType: settings.usesQuorumQueues ? .quorum : .classic, prefetch: settings.prefetch,
            hasDeliveryLimit: state.hasDeliveryLimit, hasOwnExchanges: settings.hasAccounts)
    }

    private func laneAnswered(_ id: ConnectorID, _ result: Result<(lane: BrokerLane, last: AMQPMethod), BrokerTrouble>)
    {
        switch result {
        case .success(let answer):
            let waiting = state.withLock { state in
                state.wants[id]?.phase = .consuming(answer.lane)
                return state.wants[id]?.takeWaiting() ?? []
            }
            for alarm in waiting { alarm.poke() }
            lookSoon()
        case .failure(let trouble): laneFailed(id, trouble)
        }
    }

    private func laneEnded(_ lane: BrokerLane, _ trouble: BrokerTrouble) {
        guard state.withLock({ $0.wants[lane.connector]?.phase == .consuming(lane) }) else { return }
        laneFailed(lane.connector, trouble)
    }

    private func laneFailed(_ id: ConnectorID, _ trouble: BrokerTrouble) {
        if trouble.code == .stopped { return }
        let now = world.time.now
        let (waiting, isDifferent) = state.withLock { state -> ([Alarm], Bool) in
            guard var want = state.wants[id] else { return ([], false) }
            var isDifferent = false
            if trouble.code == .inequivalent, let queue = trouble.queue {
                isDifferent = want.foreign.insert(queue).inserted
            }
            let pause = isDifferent ? .zero : want.backoff.failed(at: now, random: world.random)
            want.phase = .failed(trouble, retryAt: now + pause)
            // Who waits goes on waiting for the next attempt.
            let waiting = isDifferent ? [] : want.takeWaiting()
            state.wants[id] = want
            return (waiting, isDifferent)
        }
        world.log.warning(
            isDifferent
                ? "a connector's queues in RabbitMQ differ from what Weir would make; they are used as they are"
                : "Weir cannot consume a connector's queue in RabbitMQ; it tries again",
            metadata: [
                "connector": "\(id)", "error.kind": "\(trouble.code.rawValue)", "error": "\(trouble.sentence)",
            ])
        if isDifferent { return openLane(id) }
        set(.unknown(trouble.reason), of: id)
        for alarm in waiting { alarm.poke() }
    }

    /// Those whose time has come.
    func retryLanes() {
        let now = world.time.now
        let due = state.withLock { state in
            state.wants.filter { entry in
                switch entry.value.phase {
                case .idle: true
                case .failed(_, let retryAt): retryAt <= now
                case .opening, .consuming: false
                }
            }.keys.sorted()
        }
        for id in due { openLane(id) }
    }

    /// Sends steps on a channel of their own.
    /// - Returns: the answer to the last one.
    func ask(_ id: ConnectorID, _ steps: [AMQPMethod]) async throws(BrokerTrouble) -> AMQPMethod {
        let (link, trouble) = state.withLock { ($0.link, $0.trouble) }
        guard let link else { throw trouble }
        let result: Result<AMQPMethod, BrokerTrouble> = await withCheckedContinuation { continuation in
            link.execute { handler in
                handler.open(id, steps, isOneOff: true) { continuation.resume(returning: $0.map(\.last)) }
            }
        }
        return try result.get()
    }
}

extension RabbitBroker.Want {
    fileprivate mutating func takeWaiting() -> [Alarm] {
        defer { waiting = [] }
        return waiting
    }
}

extension RabbitBroker.State {
    fileprivate mutating func takeWaiting() -> [Alarm] {
        var taken: [Alarm] = []
        for id in wants.keys { taken += wants[id]?.takeWaiting() ?? [] }
        return taken
    }
}

extension SocketAddress {
    /// Where there is no name to verify a certificate against but an address.
    static func isLiteral(_ host: String) -> Bool { (try? SocketAddress(ipAddress: host, port: 1)) != nil }
}

extension Reason {
    /// Why a connection broke, with what its peer showed of itself.
    fileprivate static func of(
        _ error: any Error, peer: String, at wall: WallTime, in pipeline: ChannelPipeline.SynchronousOperations
    ) -> Reason {
        let certificate = try? pipeline.handler(type: NIOSSLClientHandler.self).peerCertificate
        return NetworkReason.of(error, peer: peer, shown: certificate, atSeconds: Int(wall.secondsSince1970))
    }
}
