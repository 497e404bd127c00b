import HTTPTypes
import Hummingbird
import WeirNode

/// The pages of connectors and what can be told to them: a page that asks (GET), and the deed (POST).
struct ConnectorPages: Sendable {
    let observatory: Observatory
    let endpoints: ConnectorEndpoints

    func add(to router: Router<BasicRequestContext>) {
        router.get("/connectors") { _, _ in Answer.page(ConnectorsPage(seen: observatory.look()).markup) }
        router.get("/connectors/{id}") { _, context in await one(context) }
        for order in ConnectorOrder.allCases {
            router.get("/connectors/{id}/\(order.rawValue)") { _, context in ask(order, context) }
            router.post("/connectors/{id}/\(order.rawValue)") { _, context in await give(order, context) }
        }
    }

    private func one(_ context: BasicRequestContext) async -> Response {
        do throws(APIProblem) {
            let status = try endpoints.status(try APIEndpoints.name("id", context))
            let works = await observatory.node.connectors?.works(of: status.id, most: ConnectorEndpoints.worksMost)
            let page = ConnectorPage(
                status: status, works: works ?? [], audit: try await endpoints.audit(status.id),
                seen: observatory.look())
            return Answer.page(page.markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func ask(_ order: ConnectorOrder, _ context: BasicRequestContext) -> Response {
        do throws(APIProblem) {
            let status = try endpoints.status(try APIEndpoints.name("id", context))
            return Answer.page(ConfirmPage(status: status, order: order).markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func give(_ order: ConnectorOrder, _ context: BasicRequestContext) async -> Response {
        do throws(APIProblem) {
            let id = try APIEndpoints.name("id", context)
            try await endpoints.give(order, id, by: "console")
            return Answer.seeOther("/connectors/\(PathSegment.encode(id))")
        } catch {
            return Answer.page(error)
        }
    }
}
