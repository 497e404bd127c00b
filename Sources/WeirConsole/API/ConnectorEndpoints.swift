import HTTPTypes
import Hummingbird
import WeirNode
import WeirWorld

/// The rows of the API about connectors.
struct ConnectorEndpoints: Sendable {
    /// Works in the answer for one connector.
    static let worksMost = 50
    static let auditMost = 50
    /// Connectors in one answer.
    static let pageMost = 1_000
    /// A reason for the audit is cut there, in characters.
    static let whyMost = 500

    let node: any NodeAccess

    var all: [Endpoint] { [list, one] + ConnectorOrder.allCases.map(order) + letters }

    // MARK: Looking

    private static let queries: [Endpoint.Query] = [state, text, order, after, limit]
    private static let state = Endpoint.Query(
        name: "state", meaning: "only those in this state; `held` and `trouble` are many of them",
        kind: .choice(ConnectorQuery.states))
    private static let text = Endpoint.Query(name: "q", meaning: "part of the name or the id", kind: .text)
    private static let order = Endpoint.Query(
        name: "sort",
        meaning:
            "`name` unless given; troubles and the worst state first, the newest run, the soonest run, the fullest",
        kind: .choice(ConnectorQuery.Order.allCases.map(\.rawValue)))
    private static let after = Endpoint.Query(
        name: "after", meaning: "the id of the last one that was seen: `next` of the answer before", kind: .text)
    private static let limit = Endpoint.Query(
        name: "limit", meaning: "as many at the most", range: 1...pageMost, standard: 100)

    private var list: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/connectors", operation: "list_connectors",
            summary: "Connectors, those that registered and those that Weir runs, a page at a time.",
            query: Self.queries, answer: .json(Schema(ConnectorListView.self)), problems: [400]
        ) { request, _ in
            let (index, selection) = try await select(try Self.query(request))
            let statuses = node.connectors?.statuses(of: selection.rows.map(\.id)) ?? []
            return try Answer.json(ConnectorListView(index, selection, statuses, at: node.world.time.wall))
        }
    }

    /// What a request's query asks for.
    static func query(_ request: Request) throws(APIProblem) -> ConnectorQuery {
        var query = ConnectorQuery()
        query.state = try Endpoint.text(state, of: request)
        query.text = try Endpoint.text(text, of: request) ?? ""
        query.order = try Endpoint.text(order, of: request).flatMap { ConnectorQuery.Order(rawValue: $0) } ?? .name
        query.after = try Endpoint.text(after, of: request)
        query.limit = try Endpoint.value(limit, of: request)
        return query
    }

    /// - Throws: `APIProblem` when the connector after which the page begins is gone.
    func select(
        _ query: ConnectorQuery
    ) async throws(APIProblem) -> (index: ConnectorIndex, selection: ConnectorSelection) {
        let index = await node.connectors?.index() ?? ConnectorIndex()
        guard let selection = index.select(query) else {
            throw APIProblem(
                400, "bad_parameter", "There is no connector \"\(Printable.line(query.after ?? ""))\" in this list.",
                detail: "It was removed, or is in another state now.", help: "Begin again without `after`.")
        }
        return (index, selection)
    }

    private var one: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/connectors/{id}", operation: "get_connector",
            summary: "One connector, by its id or its name, with its newest works and what was done to it.",
            answer: .json(Schema(ConnectorView.self)), problems: [404, 409, 503]
        ) { _, context in
            try Answer.json(try await view(try await status(try APIEndpoints.name("id", context))))
        }
    }

    /// - Parameter name: the id, or the name where only one has it.
    /// - Throws: `APIProblem` when there is no such connector, or several are named so.
    func status(_ name: String) async throws(APIProblem) -> ConnectorStatus {
        if let status = node.connectors?.statuses(of: [name]).first { return status }
        let index = await node.connectors?.index() ?? ConnectorIndex()
        let rows = index.named(name)
        if rows.count > 1 {
            throw APIProblem(
                409, "ambiguous_name", "\(rows.count) connectors are named \"\(Printable.line(name))\".",
                detail: "Their ids: \(rows.prefix(20).map { Printable.line($0.id) }.joined(separator: ", ")).",
                help: "Say the id.")
        }
        if let row = rows.first, let status = node.connectors?.statuses(of: [row.id]).first { return status }
        // Distances to a hundred thousand names would take a second.
        let few = index.rows.count > 5_000 ? [] : index.rows
        let known = Set(few.map(\.name)).sorted()
        var problem = APIProblem.unknown("connector", name, known: known, also: few.map(\.id))
        if known.isEmpty, !index.rows.isEmpty {
            problem.detail = "There are \(Figures.count(Int64(index.rows.count)))."
            problem.help = "Search with `q`: weir get connectors --search TEXT."
        } else if known.isEmpty {
            problem.detail = "None is configured, and none has registered."
        }
        throw problem
    }

    func audit(_ id: String) async throws(APIProblem) -> [ConnectorAudit] {
        do throws(ConnectorOrderFailure) {
            return try await node.connectors?.audit(of: id, most: Self.auditMost) ?? []
        } catch {
            throw problem(error, id)
        }
    }

    private func view(_ status: ConnectorStatus) async throws(APIProblem) -> ConnectorView {
        var view = ConnectorView(status, at: node.world.time.wall, isAlone: true)
        view.works = await node.connectors?.works(of: status.id, most: Self.worksMost).map(WorkView.init)
        view.audit = try await audit(status.id).map {
            ConnectorView.AuditView(at: $0.at.description, who: $0.who, action: $0.action, why: $0.why)
        }
        return view
    }

    // MARK: Telling

    private func order(_ order: ConnectorOrder) -> Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/connectors/{id}/\(order.rawValue)", operation: "\(order.rawValue)_connector",
            summary: Self.summary(order) + " Takes `{\"who\", \"why\"}` for the audit, both as the caller says.",
            answer: .json(Schema(ConnectorView.self)), problems: [400, 404, 409, 503]
        ) { request, context in
            let status = try await status(try APIEndpoints.name("id", context))
            let note = try await OrderNote.read(request)
            try await give(order, status.id, by: note.api, why: note.why ?? "")
            return try Answer.json(try await view(try await self.status(status.id)))
        }
    }

    private static func summary(_ order: ConnectorOrder) -> String {
        switch order {
        case .run: "Runs a connector of Weir's own now, once; its gate is asked all the same."
        case .terminate: "Stops the run under way of a connector of Weir's own; it counts as not run."
        case .pause: "No run starts and what the connector pushes waits, until it is resumed."
        case .resume: "Ends a pause."
        case .reset: "Forgets the connector's state, so that it imports from the beginning."
        }
    }

    /// - Throws: `APIProblem` when there is no such connector, or it does not do that.
    func give(_ order: ConnectorOrder, _ id: String, by who: String, why: String) async throws(APIProblem) {
        guard let connectors = node.connectors else { throw APIProblem.unknown("connector", id, known: []) }
        do throws(ConnectorOrderFailure) {
            try await connectors.give(order, to: id, by: who, why: String(Printable.line(why).prefix(Self.whyMost)))
        } catch {
            throw problem(error, id)
        }
    }

    func problem(_ failure: ConnectorOrderFailure, _ id: String) -> APIProblem {
        switch failure.code {
        case .unknown: APIProblem.unknown("connector", id, known: [])
        case .unknownLetter:
            APIProblem(
                404, failure.code.rawValue, failure.message,
                help: "`weir connector dead-letters ls` lists those that are there.")
        case .notPossible: APIProblem(409, failure.code.rawValue, failure.message, help: failure.help)
        case .failed: APIProblem(503, failure.code.rawValue, failure.message, help: failure.help)
        }
    }
}
