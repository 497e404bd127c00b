import HTTPTypes
import Hummingbird
import WeirIdentity
import WeirNode

/// The rows of the API about identity: what is looked at. What is done is in `IdentityEndpoints+Orders`.
struct IdentityEndpoints: Sendable {
    let node: any NodeAccess

    var all: [Endpoint] {
        [
            silos, rules, rule, syncs, sync, triggers, progress, reviews, actions, action, identities, identity,
            overrides, decisions, notices,
        ] + orders
    }

    /// - Throws: `APIProblem` where the node has none.
    func access() throws(APIProblem) -> any IdentityAccess {
        guard let identity = node.identity else {
            throw APIProblem(
                404, "no_identity", "This node keeps no identities.",
                help: "Declare silos and rules under `identity` in the configuration.")
        }
        return identity
    }

    private static let after = Endpoint.Query(
        name: "after", meaning: "where the page before ended: its `next`", kind: .text)
    private static let limit = Endpoint.Query(
        name: "limit", meaning: "as many at the most", range: 1...1_000, standard: 100)
    private static let paging = [after, limit]

    static func page(_ request: Request) throws(APIProblem) -> PageRequest {
        PageRequest(after: try Endpoint.text(after, of: request), count: try Endpoint.value(limit, of: request))
    }

    /// What the store says when it cannot be read.
    func read<Value: Sendable>(_ body: (any IdentityService) async throws -> Value) async throws -> Value {
        let service = try access().service
        do {
            return try await body(service)
        } catch let problem as APIProblem {
            throw problem
        } catch let refusal as IdentityRefusal {
            throw Self.problem(refusal)
        } catch {
            throw APIProblem(
                503, "identity_unavailable", "What is kept of identities could not be read.",
                detail: Printable.line("\(error)"), help: "The log of the node says more.")
        }
    }

    static func problem(_ refusal: IdentityRefusal) -> APIProblem {
        let status =
            switch refusal.kind {
            case .unknown: 404
            case .notAllowed: 403
            case .conflict, .busy: 409
            case .gone: 410
            case .unavailable: 503
            case .invalid: 400
            }
        return APIProblem(status, refusal.code, refusal.text)
    }

    // MARK: Silos and rules

    private var silos: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/silos", operation: "list_silos",
            summary: "Connected lists and directories, with their last scans.",
            answer: .json(Schema([IdentityAPI.Silo].self)), problems: [404]
        ) { _, _ in try Answer.json(await access().service.silos().map(IdentityAPI.Silo.init)) }
    }

    private var rules: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/rules", operation: "list_rules",
            summary: "Rules, with the limit of each as it is now and what it holds.",
            answer: .json(Schema([IdentityAPI.Rule].self)), problems: [404]
        ) { _, _ in try Answer.json(await access().service.rules().map(IdentityAPI.Rule.init)) }
    }

    private var rule: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/rules/{name}", operation: "get_rule", summary: "One rule.",
            answer: .json(Schema(IdentityAPI.Rule.self)), problems: [404]
        ) { _, context in
            let name = try APIEndpoints.name("name", context)
            let all = await (try access()).service.rules()
            guard let found = all.first(where: { $0.rule.name == name }) else {
                throw APIProblem.unknown("rule", name, known: all.map(\.rule.name))
            }
            return try Answer.json(IdentityAPI.Rule(found))
        }
    }

    // MARK: Syncs

    private var syncs: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/syncs", operation: "list_syncs", summary: "Syncs, newest first.",
            query: Self.paging, answer: .json(Schema(IdentityAPI.SyncList.self)), problems: [400, 404, 503]
        ) { request, _ in
            let asked = try Self.page(request)
            let page = try await read { try await $0.syncs(asked) }
            return try Answer.json(
                IdentityAPI.SyncList(items: page.items.map(IdentityAPI.Sync.init), total: page.total, next: page.next))
        }
    }

    func sync(_ id: String) async throws -> SyncView {
        guard let view = try await read({ try await $0.sync(id) }) else {
            throw APIProblem.unknown("sync", id, known: [])
        }
        return view
    }

    private var sync: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/syncs/{id}", operation: "get_sync",
            summary: "One sync: what each rule triggered and what became of it.",
            answer: .json(Schema(IdentityAPI.Sync.self)), problems: [404, 503]
        ) { _, context in
            try Answer.json(IdentityAPI.Sync(try await sync(try APIEndpoints.name("id", context))))
        }
    }

    private static let ofRule = Endpoint.Query(name: "rule", meaning: "only of this rule", kind: .text)
    private static let outcome = Endpoint.Query(
        name: "outcome", meaning: "only those that ended so", kind: .choice(TriggerOutcome.allCases.map(\.rawValue)))

    private var triggers: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/syncs/{id}/triggers", operation: "list_triggers",
            summary: "The sealed triggers of a sync, with verdict, reason and change.",
            query: [Self.ofRule, Self.outcome] + Self.paging, answer: .json(Schema(IdentityAPI.TriggerList.self)),
            problems: [400, 404, 503]
        ) { request, context in
            let id = try APIEndpoints.name("id", context)
            let rule = try Endpoint.text(Self.ofRule, of: request)
            let outcome = try Endpoint.text(Self.outcome, of: request).flatMap { TriggerOutcome(rawValue: $0) }
            let asked = try Self.page(request)
            let page = try await read {
                try await $0.triggers(sync: id, rule: rule, outcome: outcome, asked)
            }
            return try Answer.json(
                IdentityAPI.TriggerList(
                    items: page.items.map(IdentityAPI.Trigger.init), total: page.total, next: page.next))
        }
    }

    private var progress: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/syncs/running/progress", operation: "get_sync_progress",
            summary: "How far the sync is that runs now; 404 where none runs.",
            answer: .json(Schema(IdentityAPI.Progress.self)), problems: [404]
        ) { _, _ in
            guard let progress = await (try access()).service.running() else {
                throw APIProblem(404, "no_sync_runs", "No sync runs now.")
            }
            return try Answer.json(IdentityAPI.Progress(progress))
        }
    }

    // MARK: Held actions

    private var reviews: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/reviews", operation: "list_reviews",
            summary: "What waits for a decision, by run and rule, newest first.",
            answer: .json(Schema([IdentityAPI.Review].self)), problems: [404, 503]
        ) { _, _ in try Answer.json(try await read { try await $0.holds() }.map(IdentityAPI.Review.init)) }
    }

    private static let state = Endpoint.Query(
        name: "state", meaning: "`suspended` unless given; `all`",
        kind: .choice(
            ["all"] + ActionState.allCases.map(\.rawValue)))
    private static let run = Endpoint.Query(name: "run", meaning: "only of this sync", kind: .text)
    private static let ofIdentity = Endpoint.Query(name: "identity", meaning: "only of this identity", kind: .text)

    private var actions: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/actions", operation: "list_actions",
            summary: "Actions, those that wait unless another state is asked for.",
            query: [Self.state, Self.run, Self.ofRule, Self.ofIdentity] + Self.paging,
            answer: .json(Schema(IdentityAPI.ActionList.self)), problems: [400, 404, 503]
        ) { request, _ in
            let (filter, asked) = (try Self.filter(request), try Self.page(request))
            let page = try await read { try await $0.actions(filter, asked) }
            return try Answer.json(
                IdentityAPI.ActionList(
                    items: page.items.map(IdentityAPI.Action.init), total: page.total, next: page.next))
        }
    }

    static func filter(_ request: Request) throws(APIProblem) -> ActionFilter {
        var filter = ActionFilter()
        switch try Endpoint.text(state, of: request) {
        case "all"?: filter.states = Set(ActionState.allCases)
        case let word?: if let state = ActionState(rawValue: word) { filter.states = [state] }
        case nil: break
        }
        filter.sync = try Endpoint.text(run, of: request)
        filter.rule = try Endpoint.text(ofRule, of: request)
        filter.identity = try Endpoint.text(ofIdentity, of: request)
        return filter
    }

    private var action: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/actions/{id}", operation: "get_action", summary: "One action.",
            answer: .json(Schema(IdentityAPI.Action.self)), problems: [404, 503]
        ) { _, context in
            let id = try APIEndpoints.name("id", context)
            guard let view = try await read({ try await $0.action(id) }) else {
                throw APIProblem.unknown("action", id, known: [])
            }
            return try Answer.json(IdentityAPI.Action(view))
        }
    }

    // MARK: Identities

    private static let text = Endpoint.Query(name: "q", meaning: "part of the label or a key", kind: .text)

    private var identities: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/identities", operation: "list_identities",
            summary: "Identities, by label, a page at a time.", query: [Self.text] + Self.paging,
            answer: .json(Schema(IdentityAPI.IdentityList.self)), problems: [400, 404, 503]
        ) { request, _ in
            let text = try Endpoint.text(Self.text, of: request) ?? ""
            let asked = try Self.page(request)
            let page = try await read { try await $0.identities(matching: text, asked) }
            return try Answer.json(
                IdentityAPI.IdentityList(
                    items: page.items.map(IdentityAPI.Summary.init), total: page.total, next: page.next))
        }
    }

    private var identity: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/identities/{id}", operation: "get_identity",
            summary: "One identity: its objects, every rule's verdict now, and its history.",
            answer: .json(Schema(IdentityAPI.Identity.self)), problems: [404, 409, 503]
        ) { _, context in
            try Answer.json(IdentityAPI.Identity(try await identity(try APIEndpoints.name("id", context))))
        }
    }

    /// - Parameter name: the id, or a text that only one identity has.
    func identity(_ name: String) async throws -> IdentityView {
        if let view = try await read({ try await $0.identity(name) }) { return view }
        let found = try await read { try await $0.identities(matching: name, PageRequest(count: 10)) }
        let exact = found.items.filter { $0.label == name }
        let only = found.items.count == 1 ? found.items : exact
        if only.count == 1, let view = try await read({ try await $0.identity(only[0].id) }) { return view }
        if found.items.count > 1 {
            throw APIProblem(
                409, "ambiguous_name", "\(found.total) identities fit \"\(Printable.line(name))\".",
                detail: found.items.map { "\(Printable.line($0.label)) (\($0.id))" }.joined(separator: ", "),
                help: "Say the id.")
        }
        throw APIProblem.unknown("identity", name, known: [])
    }

    // MARK: Who decided what

    private var overrides: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/overrides", operation: "list_overrides",
            summary: "Override keys that lift the 5 % of large silos.",
            answer: .json(Schema([IdentityAPI.Override].self)), problems: [404]
        ) { _, _ in try Answer.json(await access().service.overrides().map(IdentityAPI.Override.init)) }
    }

    private var decisions: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/decisions", operation: "list_decisions",
            summary: "The audit, newest first. Each line holds the hash of the one before it.", query: Self.paging,
            answer: .json(Schema(IdentityAPI.DecisionList.self)), problems: [400, 404, 503]
        ) { request, _ in
            let asked = try Self.page(request)
            let page = try await read { try await $0.audit(asked) }
            return try Answer.json(
                IdentityAPI.DecisionList(
                    items: page.items.map(IdentityAPI.Decision.init), total: page.total, next: page.next))
        }
    }

    private var notices: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/notices", operation: "list_notices",
            summary: "Who was told of what waits, and what could not be sent.",
            answer: .json(Schema([IdentityAPI.Notice].self)), problems: [404]
        ) { _, _ in try Answer.json(try access().notices.entries.map(IdentityAPI.Notice.init)) }
    }
}
