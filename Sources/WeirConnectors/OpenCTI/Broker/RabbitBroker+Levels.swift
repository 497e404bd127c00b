internal import Logging
internal import Synchronization
internal import WeirWires
internal import WeirWorld

/// How much waits in RabbitMQ, brought to the gates.
extension RabbitBroker {
    /// Sizes are looked at this often; RabbitMQ's own figures are renewed as often.
    private static let measureEvery = Duration.seconds(5)
    /// With every so many looks the queues are declared again, as OpenCTI does with each ping: a binding that somebody
    /// has removed would lose what is published.
    private static let declareEvery = 12

    func keepMeasured() async {
        var looks = 0
        var next = world.time.now
        while !Task.isCancelled {
            retryLanes()
            if world.time.now >= next {
                await measureAll(declares: looks % Self.declareEvery == Self.declareEvery - 1)
                looks += 1
                next = world.time.now + Self.measureEvery
            }
            // Once a second, for the lanes that are to be tried again.
            await measuring.wait(until: min(next, world.time.now + .seconds(1)), world.time)
            let isDue = state.withLock { state in
                defer { state.isLookDue = false }
                return state.isLookDue
            }
            if isDue { next = world.time.now }
        }
    }

    func lookSoon() {
        state.withLock { $0.isLookDue = true }
        measuring.poke()
    }

    private func measureAll(declares: Bool) async {
        let (management, ids) = state.withLock { ($0.management, $0.link == nil ? [] : $0.wants.keys.sorted()) }
        guard let management, !ids.isEmpty else { return }
        let all: [String: WorkQueueLevel?]
        do throws(BrokerTrouble) {
            all = try await BrokerLevels(management: management).all()
        } catch {
            for id in ids { set(.unknown(error.reason), of: id) }
            return said(error)
        }
        said(nil)
        for id in ids { await measure(id, told: all[ConnectorTopology(id).pushQueue] ?? nil, declares: declares) }
    }

    package func measure(_ id: ConnectorID) async {
        let management = state.withLock { $0.link != nil && $0.wants[id] != nil ? $0.management : nil }
        guard let management else { return }
        do throws(BrokerTrouble) {
            let all = try await BrokerLevels(management: management).all()
            await measure(id, told: all[ConnectorTopology(id).pushQueue] ?? nil, declares: false)
        } catch {
            set(.unknown(error.reason), of: id)
            said(error)
        }
    }

    private func measure(_ id: ConnectorID, told: WorkQueueLevel?, declares: Bool) async {
        let level: OutsideLevel
        do throws(BrokerTrouble) {
            if case .failed(let trouble, _) = state.withLock({ $0.wants[id]?.phase }) { throw trouble }
            let counted = try await count(id, declares: declares)
            let known = WorkQueueLevel.inRabbitMQ(
                told: told, ready: counted.messages, taken: inbox.unacknowledged(id), isOurs: counted.consumers <= 1)
            guard let known else {
                throw BrokerTrouble(
                    .unmeasured,
                    "RabbitMQ's management API has no size of this queue yet, so it counts as full; that takes some "
                        + "seconds.")
            }
            level = .known(known)
        } catch {
            level = .unknown(error.reason)
        }
        set(level, of: id)
    }

    /// How many bundles are ready in a connector's queue, now, and how many consume there.
    func count(
        _ id: ConnectorID, declares: Bool = false
    ) async throws(BrokerTrouble) -> (messages: Int, consumers: Int) {
        var steps = BrokerTopology.counting(id)
        if declares, let registration = connectors.book.with({ $0.registry[id]?.record.registration }) {
            let declaring = state.withLock { state in
                topology(state).declaring(registration, foreign: state.wants[id]?.foreign ?? [])
            }
            steps = Array(steps.prefix(1) + declaring + steps.dropFirst())
        }
        guard case .queueDeclareOK(_, let messages, let consumers) = try await ask(id, steps) else {
            throw BrokerTrouble(.protocol, "RabbitMQ did not count its queue.")
        }
        return (Int(messages), Int(consumers))
    }

    func set(_ level: OutsideLevel, of id: ConnectorID) {
        guard state.withLock({ $0.wants[id] != nil }), connectors.book.with({ $0.registry[id] != nil }) else { return }
        let wasOutside = connectors.book.with { $0.slots[id]?.outside }
        if wasOutside != level { connectors.book.withSlot(id) { slot, _ in slot.outside = level } }
    }

    /// Writes a trouble with the sizes into the log, once.
    private func said(_ trouble: BrokerTrouble?) {
        let isNew = state.withLock { state in
            defer { state.unmeasured = trouble }
            return state.unmeasured != trouble
        }
        guard isNew else { return }
        if let trouble {
            world.log.warning(
                "the sizes of queues in RabbitMQ cannot be read; they count as full",
                metadata: ["error.kind": "\(trouble.code.rawValue)", "error": "\(trouble.sentence)"])
        } else {
            world.log.notice("the sizes of queues in RabbitMQ are read")
        }
    }
}
