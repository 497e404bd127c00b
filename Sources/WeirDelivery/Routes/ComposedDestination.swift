import Synchronization
package import WeirFlow
package import WeirGates
package import WeirWorld

/// A destination that owns destinations, as everybody else sees it: it counts what it hands on, can be looked at, and
/// publishes a gate that tells of its members' gates.
package final class ComposedDestination: GaugedIntake {
    package let kind: ComposedGate.Kind
    /// Who it may send to, in the order of the configuration.
    package let members: [Member]
    package let tap = Tap()
    private let inner: any GaugedIntake
    private let senders: [String]
    private let registry: GateRegistry
    private let taken = Atomic<UInt64>(0)
    private let takenBytes = Atomic<UInt64>(0)

    package struct Member: Sendable, Hashable {
        package var name: String
        package var weight: Int

        package init(name: String, weight: Int = 1) {
            self.name = name
            self.weight = weight
        }
    }

    /// - Parameters:
    ///   - inner: what does the work: `Routes`, a `BalanceIntake`, a `FallbackIntake`; its name is this one's too.
    ///   - members: in the order in which `inner` has them, each once.
    ///   - registry: where the members' gates are found, and this one is published.
    package init(
        _ kind: ComposedGate.Kind, _ inner: any GaugedIntake, members: [Member], senders: [String],
        registry: GateRegistry
    ) {
        self.kind = kind
        self.inner = inner
        self.members = members
        self.senders = senders
        self.registry = registry
    }

    package var name: String { inner.name }
    package var isPassable: Bool { inner.isPassable }
    package func hasRoom(for bytes: Int) -> Bool { inner.hasRoom(for: bytes) }
    package var roomMost: Int { inner.roomMost }
    package var takesWhole: Bool { inner.takesWhole }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        tap.saw(batch)
        let receipt = try await inner.accept(batch, deadline: deadline)
        taken.wrappingAdd(UInt64(batch.count), ordering: .relaxed)
        takenBytes.wrappingAdd(UInt64(batch.byteCount), ordering: .relaxed)
        return receipt
    }

    // MARK: The gate

    /// A person's order goes to all members: held are the gates where something can be held.
    package func publish() {
        registry.publish(
            GateRegistry.Entry(
                id: name, read: { [weak self, name] in self?.reading ?? DeliveryChain.gone(name) },
                order: { [registry, members] order in
                    for member in members { _ = registry.order(order, member.name) }
                }))
    }

    package func withdraw() { registry.withdraw(name) }

    /// Events given to each member; `nil` for a router, whose rules count.
    package var sentEvents: [UInt64]? {
        switch inner {
        case let balance as BalanceIntake: balance.sentEvents
        case let fallback as FallbackIntake: fallback.sentEvents
        default: nil
        }
    }

    package var reading: GateReading {
        ComposedGate.reading(
            name, kind, members: members.compactMap { $0.weight > 0 ? registry.reading($0.name) : nil },
            sentEvents: sentEvents.map { sent in zip(members, sent).filter { $0.0.weight > 0 }.map(\.1) },
            senders: senders, counters: counters) ?? DeliveryChain.gone(name)
    }

    /// It holds nothing: what was taken was handed on, but for what no rule of a router wanted.
    private var counters: FlowCounters {
        var counters = FlowCounters()
        // In this order: what comes in meanwhile must not look as if it were lost.
        let unrouted = (inner as? Routes)?.unroutedEvents ?? 0
        counters.takenEvents = max(taken.load(ordering: .relaxed), unrouted)
        counters.takenBytes = takenBytes.load(ordering: .relaxed)
        if unrouted > 0 { counters.droppedEvents["no_route"] = unrouted }
        counters.deliveredEvents = counters.takenEvents &- unrouted
        counters.deliveredBytes = counters.takenBytes
        return counters
    }
}
