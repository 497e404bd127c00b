import NIOCore
import WeirDelivery
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirSources
import WeirWorld

/// Puts a node together from its plan: receivers' chains first, then what is composed of them, then the routes, then
/// the sources. Nothing is opened.
struct NodeAssembly {
    let chains: [DeliveryChain]
    /// Members before those who own them.
    let composed: [ComposedDestination]
    let routes: Routes
    /// Where the events of connectors go.
    let connectorIntake: ConnectorIntake
    let sources: [(name: String, source: any Source)]

    init(plan: NodePlan, means: DestinationMeans, gates: GateRegistry, storage: NodeStorage) {
        let resolver = LiveResolver(world: means.world)
        let senders = plan.senders
        chains = plan.receivers.map { receiver in
            DeliveryChain(
                name: receiver.name, plan: receiver.plan, settings: receiver.settings,
                limitOrigin: receiver.limitOrigin, queueLimitOrigin: receiver.queueLimitOrigin,
                type: receiver.type, queueDirectory: storage.chainDirectory(receiver.name),
                senders: senders[receiver.name] ?? [],
                resolver: resolver, world: means.world, registry: gates)
        }
        var intakes: [String: any GaugedIntake] = Dictionary(
            chains.map { ($0.name, $0 as any GaugedIntake) }, uniquingKeysWith: { first, _ in first })
        var composed: [ComposedDestination] = []
        for composite in NodeAssembly.ordered(plan.composites) {
            let destination = ComposedDestination(
                composite.kind, NodeAssembly.intake(composite, among: intakes, time: means.world.time),
                members: composite.members, senders: senders[composite.name] ?? [], registry: gates)
            intakes[composite.name] = destination
            composed.append(destination)
        }
        self.composed = composed
        let known = intakes
        routes = Routes(
            name: "routes",
            rules: plan.rules.map { rule in
                RouteRule(
                    name: rule.name, condition: rule.condition, to: rule.to.compactMap { known[$0] },
                    isFinal: rule.isFinal)
            },
            otherwise: plan.fallback.flatMap { known[$0] }, time: means.world.time)
        connectorIntake = ConnectorIntake(
            routes: routes,
            direct: Dictionary(
                plan.settings.connectors.entries.compactMap { entry in
                    entry.value.typed.common.to.flatMap { known[$0] }.map { (entry.name, $0) }
                }, uniquingKeysWith: { first, _ in first }))
        let intake = routes
        sources = plan.settings.sources.entries.map { entry in
            let place = SourcePlace(
                name: entry.name, intake: intake, world: means.world, eventLoops: means.eventLoops,
                checkpoints: storage.checkpoints)
            guard let source = SourceCatalog.make(entry.value.typed.kind, entry.value.typed.own, place) else {
                preconditionFailure(
                    "the catalogue of sources has a kind that it cannot make: \(entry.value.typed.kind)")
            }
            return (entry.name, source)
        }
    }

    /// Members before those who own them; the plan has no circles.
    private static func ordered(_ composites: [NodePlan.Composite]) -> [NodePlan.Composite] {
        var ready: [NodePlan.Composite] = []
        var waiting = composites
        while !waiting.isEmpty {
            let names = Set(waiting.map(\.name))
            let next = waiting.filter { names.isDisjoint(with: $0.plan.names) }
            precondition(!next.isEmpty, "the plan was checked for circles: \(names.sorted())")
            ready += next
            waiting.removeAll { composite in next.contains { $0.name == composite.name } }
        }
        return ready
    }

    private static func intake(
        _ composite: NodePlan.Composite, among known: [String: any GaugedIntake], time: any TimeSource
    ) -> any GaugedIntake {
        switch composite.plan {
        case .router(let rules, let otherwise):
            Routes(
                name: composite.name,
                rules: rules.map { rule in
                    RouteRule(
                        name: rule.name, condition: rule.when, to: rule.to.compactMap { known[$0] },
                        isFinal: rule.isFinal)
                }, otherwise: otherwise.flatMap { known[$0] }, time: time)
        case .balance(let members):
            BalanceIntake(
                name: composite.name,
                members: members.compactMap { member in known[member.destination].map { ($0, member.weight) } },
                time: time)
        case .fallback(let members):
            FallbackIntake(name: composite.name, members: members.compactMap { known[$0] }, time: time)
        }
    }
}

extension NodePlan.Composite {
    fileprivate var kind: ComposedGate.Kind {
        switch plan {
        case .router: .router
        case .balance: .balance
        case .fallback: .fallback
        }
    }

    /// Each once, in the order of the settings: two rules of a router may lead to one place.
    fileprivate var members: [ComposedDestination.Member] {
        if case .balance(let members) = plan {
            return members.map { ComposedDestination.Member(name: $0.destination, weight: $0.weight) }
        }
        var seen: Set<String> = []
        return plan.names.filter { seen.insert($0).inserted }.map { ComposedDestination.Member(name: $0) }
    }
}
