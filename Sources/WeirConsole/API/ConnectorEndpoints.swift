import HTTPTypes
import Hummingbird
import WeirNode
import WeirWorld

/// The rows of the API about connectors.
struct ConnectorEndpoints: Sendable {
    /// Works in the answer for one connector.
    static let worksMost = 50
    static let auditMost = 50

    let node: any NodeAccess

    var all: [Endpoint] { [list, one] + ConnectorOrder.allCases.map(order) }

    private var list: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/connectors", operation: "list_connectors",
            summary: "Connectors, by name: those that registered and those that Weir runs.",
            answer: .json(Schema([ConnectorView].self))
        ) { _, _ in try Answer.json((node.connectors?.all ?? []).map(ConnectorView.init)) }
    }

    private var one: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/connectors/{id}", operation: "get_connector",
            summary: "One connector, with its newest works and what was done to it.",
            answer: .json(Schema(ConnectorView.self)), problems: [404, 503]
        ) { _, context in try Answer.json(try await view(try APIEndpoints.name("id", context))) }
    }

    private func order(_ order: ConnectorOrder) -> Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/connectors/{id}/\(order.rawValue)", operation: "\(order.rawValue)_connector",
            summary: Self.summary(order), answer: .json(Schema(ConnectorView.self)), problems: [404, 409, 503]
        ) { _, context in
            let id = try APIEndpoints.name("id", context)
            try await give(order, id, by: "api")
            return try Answer.json(try await view(id))
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
    func give(_ order: ConnectorOrder, _ id: String, by who: String) async throws(APIProblem) {
        guard let connectors = node.connectors else { throw APIProblem.unknown("connector", id, known: []) }
        do throws(ConnectorOrderFailure) {
            try await connectors.give(order, to: id, by: who, why: "")
        } catch {
            throw problem(error, id)
        }
    }

    /// - Throws: `APIProblem` when there is no such connector.
    func status(_ id: String) throws(APIProblem) -> ConnectorStatus {
        let all = node.connectors?.all ?? []
        guard let status = all.first(where: { $0.id == id }) else {
            throw APIProblem.unknown("connector", id, known: all.map(\.id))
        }
        return status
    }

    func audit(_ id: String) async throws(APIProblem) -> [ConnectorAudit] {
        do throws(ConnectorOrderFailure) {
            return try await node.connectors?.audit(of: id, most: Self.auditMost) ?? []
        } catch {
            throw problem(error, id)
        }
    }

    private func view(_ id: String) async throws(APIProblem) -> ConnectorView {
        var view = ConnectorView(try status(id))
        view.works = await node.connectors?.works(of: id, most: Self.worksMost).map(WorkView.init)
        view.audit = try await audit(id).map {
            ConnectorView.AuditView(at: $0.at.description, who: $0.who, action: $0.action, why: $0.why)
        }
        return view
    }

    private func problem(_ failure: ConnectorOrderFailure, _ id: String) -> APIProblem {
        switch failure.code {
        case .unknown: APIProblem.unknown("connector", id, known: node.connectors?.all.map(\.id) ?? [])
        case .notPossible: APIProblem(409, failure.code.rawValue, failure.message, help: failure.help)
        case .failed: APIProblem(503, failure.code.rawValue, failure.message, help: failure.help)
        }
    }
}
