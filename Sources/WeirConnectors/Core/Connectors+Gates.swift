import WeirGates
import WeirWorld

extension Connectors {
    static func gateID(_ id: ConnectorID) -> String { GateKind.connectorPrefix + id }

    func gateEntry(_ id: ConnectorID) -> GateRegistry.Entry {
        GateRegistry.Entry(
            id: Self.gateID(id),
            read: { [book] in
                book.withSlot(id) { slot, state in
                    Self.reading(id, name: state.registry[id]?.record.registration.name ?? id, slot)
                }
            },
            order: { [weak self] order in self?.take(order, id) })
    }

    private static func reading(_ id: ConnectorID, name: String, _ slot: QueueSlot) -> GateReading {
        let gate = slot.gate
        let level = slot.level
        let own = slot.marks.level
        var counters = FlowCounters()
        counters.takenEvents = slot.marks.pushed.messages
        counters.takenBytes = slot.marks.pushed.bytes
        counters.deliveredEvents = slot.marks.settled.messages &- slot.marks.deadLettered
        counters.deliveredBytes = slot.marks.settled.bytes
        counters.deadLetteredEvents = slot.marks.deadLettered
        counters.heldEvents = Int64(level?.messages ?? own.messages)
        counters.transitions = slot.transitions
        counters.blockedNanoseconds = slot.heldNanoseconds
        return GateReading(
            id: gateID(id), kind: .connector, state: gate.state, reason: gate.reason, since: gate.since,
            level: gate.level, limit: gate.marks.threshold, reopens: reopens(gate),
            details: [
                .init("work queue", "\(own.messages) bundles, \(ConnectorGate.megabytes(own.bytes))")
            ] + outside(slot) + [
                .init("runs are put off at", ConnectorGate.megabytes(gate.marks.threshold.amount)),
                .init("pushes wait at", ConnectorGate.megabytes(gate.marks.hardLimit.amount)),
                .init("pushes that wait now", "\(slot.waiting.count)"),
                .init("pushes let in at their deadline", "\(slot.overdue)"),
                .init("objects delivered since the start", "\(slot.objects)"),
            ],
            senders: [name], receiver: "routes", counters: counters)
    }

    private static func outside(_ slot: QueueSlot) -> [GateReading.Detail] {
        switch slot.outside {
        case nil: []
        case .known(let level):
            [.init("in RabbitMQ", "\(level.messages) bundles, \(ConnectorGate.megabytes(level.bytes))")]
        case .unknown: [.init("in RabbitMQ", "unknown")]
        }
    }

    private static func reopens(_ gate: ConnectorGate) -> String {
        switch gate.state {
        case .paused: "when somebody releases it"
        case .unknown: gate.holdsPublishes ? "when the work queue can be read" : "when RabbitMQ says what waits there"
        case .blocking where gate.trouble != nil: "when the disk takes bytes again"
        case .blocking: "when less than \(ConnectorGate.megabytes(gate.marks.hardLimit.amount)) wait"
        case .buffering: "when less than \(ConnectorGate.megabytes(gate.marks.threshold.amount)) wait"
        default: "it is open"
        }
    }
}
