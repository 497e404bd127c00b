package import WeirDelivery
package import WeirDestinations
package import WeirExpressions
package import WeirFlow
import WeirGates
package import WeirSettings
package import WeirTunnel

/// A configuration that was read and found to make sense: what a node is built from. Pure; nothing is opened.
package struct NodePlan: Sendable {
    /// A destination that talks to a receiver.
    package struct Receiver: Sendable {
        package var name: String
        package var type: String
        package var plan: DestinationPlan
        package var settings: DeliverySettings
        /// Which line set the gate's limit.
        package var limitOrigin: String
        /// Where the limit of its queue on disk was set.
        package var queueLimitOrigin: String
    }

    /// A destination that owns other destinations by name.
    package struct Composite: Sendable {
        package var name: String
        package var type: String
        package var plan: ComposedPlan
    }

    package struct Rule: Sendable {
        package var name: String
        /// `nil` where every event matches.
        package var condition: Matcher?
        package var text: String
        package var to: [String]
        package var isFinal: Bool
    }

    package var settings: NodeSettings
    package var receivers: [Receiver]
    package var composites: [Composite]
    package var rules: [Rule]
    /// Where goes what no final rule takes; `nil` drops it as `no_route`.
    package var fallback: String?
    package var warnings: [SettingProblem]
    /// Where the thresholds of connectors were set, by name.
    package var thresholdOrigins: [String: String] = [:]
    /// Where that of connectors with processes of their own was set.
    package var openCTIThresholdOrigin = "default"
    /// The tunnel's own rules; `nil` where it has none.
    package var decisionPoint: DecisionPoint?

    package static func make(
        from loaded: ConfigurationLoader.Loaded, means: DestinationMeans
    ) -> (plan: NodePlan?, problems: [SettingProblem]) {
        guard let settings = loaded.settings else { return (nil, loaded.problems) }
        var planner = NodePlanner(settings: settings, provenance: loaded.provenance, means: means)
        let plan = planner.plan()
        let problems = loaded.problems + planner.problems
        guard var plan, !problems.contains(where: { $0.severity == .error }) else { return (nil, problems) }
        plan.warnings = problems
        return (plan, problems)
    }
}

/// One pass over checked settings that finds what only the whole shows: names that lead nowhere, circles, gates that
/// share memory.
struct NodePlanner {
    private let settings: NodeSettings
    private let provenance: SettingProvenance
    private let means: DestinationMeans
    private(set) var problems: [SettingProblem] = []

    init(settings: NodeSettings, provenance: SettingProvenance, means: DestinationMeans) {
        self.settings = settings
        self.provenance = provenance
        self.means = means
    }

    mutating func plan() -> NodePlan? {
        var plan = NodePlan(
            settings: settings, receivers: [], composites: [], rules: [], fallback: settings.fallback, warnings: [])
        for entry in settings.destinations.entries { add(entry, to: &plan) }
        shareMemory(&plan)
        for entry in settings.connectors.entries {
            let origin = provenance.origin(of: "\(entry.value.typed.path).queue_threshold")
            plan.thresholdOrigins[entry.name] = origin.description
        }
        plan.openCTIThresholdOrigin = provenance.origin(of: "opencti.queue_threshold").description
        plan.rules = settings.routes.enumerated().compactMap { rule($1, at: "routes[\($0)]") }
        plan.decisionPoint = decisionPoint()
        if plan.fallback == nil, settings.routes.isEmpty, let only = settings.destinations.entries.first,
            settings.destinations.entries.count == 1
        {
            // One destination and no routes can only mean one thing.
            plan.fallback = only.name
        }
        checkNames(plan)
        checkCircles(plan)
        checkUse(plan)
        return plan
    }

    private var names: [String] { settings.destinations.entries.map(\.name) }

    private mutating func add(_ entry: SettingMap<DestinationEntry>.Entry, to plan: inout NodePlan) {
        let typed = entry.value.typed
        guard let own = typed.own as? any DestinationSettings else {
            preconditionFailure("the catalogue of destinations has a kind without a plan: \(typed.kind)")
        }
        var planning = DestinationPlanning(name: entry.name, means: means, path: typed.path, provenance: provenance)
        let outline = own.plan(&planning)
        problems += planning.problems
        switch outline {
        case .receiver(let receiver):
            plan.receivers.append(
                NodePlan.Receiver(
                    name: entry.name, type: typed.kind, plan: receiver, settings: typed.common,
                    limitOrigin: provenance.origin(of: "\(typed.path).buffer").description,
                    queueLimitOrigin: provenance.origin(of: "\(typed.path).queue.max_size").description))
        case .composed(let composed):
            plan.composites.append(NodePlan.Composite(name: entry.name, type: typed.kind, plan: composed))
        case nil: break
        }
    }

    /// Gates whose `buffer` nobody set share `memory`, 8 MiB for one at the most.
    private mutating func shareMemory(_ plan: inout NodePlan) {
        let isSet = plan.receivers.map { provenance.origin(of: "destinations.\($0.name).buffer") != .standard }
        let set = zip(plan.receivers, isSet).reduce(into: Int64(0)) { $0 += $1.1 ? $1.0.settings.buffer.bytes : 0 }
        let unset = Int64(isSet.count { !$0 })
        if set > settings.memory.bytes {
            note(
                "the buffers that are set hold \(ByteCount(set)) in all, more than `memory` (\(settings.memory))",
                at: "memory",
                help: "raise `memory`, or lower a `buffer`", severity: .warning)
        }
        guard unset > 0 else { return }
        let share = min(8 << 20, max(1 << 20, (settings.memory.bytes - set) / unset))
        for index in plan.receivers.indices where !isSet[index] {
            plan.receivers[index].settings.buffer = ByteCount(share)
        }
    }

    private mutating func rule(_ route: RouteSettings, at path: String) -> NodePlan.Rule? {
        let text = route.when.text
        guard text != "true" else {
            return NodePlan.Rule(
                name: route.name, condition: nil, text: text, to: route.to.values, isFinal: route.isFinal)
        }
        do throws(ExpressionProblem) {
            let condition = try Matcher(text)
            return NodePlan.Rule(
                name: route.name, condition: condition, text: text, to: route.to.values, isFinal: route.isFinal)
        } catch {
            problems.append(route.when.problem(error.message, offset: error.line == 1 ? error.column - 1 : nil))
            return nil
        }
    }

    private mutating func decisionPoint() -> DecisionPoint? {
        guard let rules = settings.tunnel?.policy?.rules, !rules.isEmpty else { return nil }
        var compiled: [DecisionPoint.Rule] = []
        for rule in rules {
            do throws(ExpressionProblem) {
                let condition = try Expression(rule.when.text, environment: DecisionPoint.environment)
                compiled.append(
                    DecisionPoint.Rule(name: rule.name, condition: condition, isAllowing: rule.decision == .allow))
            } catch {
                problems.append(rule.when.problem(error.message, offset: error.line == 1 ? error.column - 1 : nil))
            }
        }
        return DecisionPoint(compiled)
    }

    private mutating func checkNames(_ plan: NodePlan) {
        for (index, route) in settings.routes.enumerated() {
            for (place, name) in route.to.values.enumerated() where !names.contains(name) {
                let path =
                    provenance.origin(of: "routes[\(index)].to[\(place)]") == .standard
                    ? "routes[\(index)].to" : "routes[\(index)].to[\(place)]"
                unknown(name, at: path)
            }
            let twin = settings.routes[..<index].contains { $0.name == route.name }
            if twin {
                note(
                    "there is another route named `\(route.name)`", at: "routes[\(index)].name",
                    help: "give it a name of its own")
            }
        }
        for entry in settings.connectors.entries {
            if let to = entry.value.typed.common.to, !names.contains(to) {
                unknown(to, at: "connectors.\(entry.name).to")
            }
        }
        if let fallback = settings.fallback, !names.contains(fallback) { unknown(fallback, at: "default") }
        for composite in plan.composites {
            for name in composite.plan.names where !names.contains(name) {
                unknown(name, at: "destinations.\(composite.name)")
            }
        }
    }

    private mutating func unknown(_ name: String, at path: String) {
        note(
            "there is no destination named `\(name)`", at: path,
            help: Nearest.sentence(name, among: names) ?? "known: \(names.map { "`\($0)`" }.joined(separator: ", "))")
    }

    private mutating func checkCircles(_ plan: NodePlan) {
        let edges = plan.composites.map { (name: $0.name, to: $0.plan.names) }
        guard let circle = RouteCycle.find(edges) else { return }
        note(
            "these destinations send to each other in a circle: \(circle.joined(separator: " → "))",
            at: "destinations.\(circle[0])", help: "let one of them send somewhere else")
    }

    private mutating func checkUse(_ plan: NodePlan) {
        if settings.tunnel != nil || settings.identity != nil, settings.sources.isEmpty, settings.destinations.isEmpty {
            return
        }
        if settings.sources.entries.isEmpty, !settings.hasConnectors {
            note(
                "there is no source and no connector, so no event will come in", at: "",
                help: "add one under `sources`",
                severity: .warning)
        }
        if names.isEmpty {
            note(
                "there is no destination, so every event is dropped", at: "", help: "add one under `destinations`",
                severity: .warning)
            return
        }
        let used = Set(
            settings.routes.flatMap(\.to.values) + [plan.fallback].compactMap { $0 }
                + settings.connectors.entries.compactMap(\.value.typed.common.to)
                + plan.composites.flatMap(\.plan.names))
        for name in names where !used.contains(name) {
            note(
                "nothing is sent to `\(name)`", at: "destinations.\(name)", help: "name it in a route or as `default`",
                severity: .warning)
        }
        let takesAll = plan.rules.contains { $0.condition == nil && $0.isFinal }
        if plan.fallback == nil && !takesAll && !settings.routes.isEmpty {
            note(
                "what no route takes is dropped and counted as `no_route`", at: "routes",
                help: "set `default` to keep it",
                severity: .warning)
        }
        let all = plan.rules.firstIndex { $0.condition == nil && $0.isFinal }
        if let all, all + 1 < plan.rules.count {
            note(
                "routes after `\(plan.rules[all].name)` see nothing, because it takes every event",
                at: "routes[\(all + 1)]",
                help: "move it to the end, or write `final: false`", severity: .warning)
        }
    }

    private mutating func note(
        _ message: String, at path: String, help: String, severity: SettingProblem.Severity = .error
    ) {
        problems.append(
            SettingProblem(message, severity: severity, at: provenance.nearest(to: path), path: path, help: help))
    }
}
