import HTTPTypes
import Hummingbird
import WeirNode
import WeirWorld

/// The pages of connectors and what can be told to them: a page that asks (GET), and the deed (POST).
struct ConnectorPages: Sendable {
    let observatory: Observatory
    let endpoints: ConnectorEndpoints
    let live: @Sendable (@escaping @Sendable () async throws -> LiveCells) throws -> Response

    func add(to router: Router<BasicRequestContext>) {
        router.get("/connectors") { request, _ in await list(request) }
        router.get("/connectors/{id}") { _, context in await one(context) }
        router.get("/live/connectors") { request, _ in
            let query = try Self.query(request)
            return try live { LiveCells(try await listing(query)) }
        }
        router.get("/live/connectors/{id}") { _, context in
            let id = try await endpoints.status(try APIEndpoints.name("id", context)).id
            return try live {
                LiveCells(try await endpoints.status(id), at: node.world.time.wall, version: node.version)
            }
        }
        for order in ConnectorOrder.allCases {
            router.get("/connectors/{id}/\(order.rawValue)") { _, context in await ask(order, context) }
            router.post("/connectors/{id}/\(order.rawValue)") { request, context in
                await give(order, request, context)
            }
        }
        for deed in LetterDeed.allCases {
            for path in ["/connectors/{id}/dead-letters/\(deed)", "/connectors/{id}/dead-letters/{letter}/\(deed)"] {
                router.get(RouterPath(path)) { _, context in await ask(deed, context) }
                router.post(RouterPath(path)) { request, context in await handle(deed, request, context) }
            }
        }
    }

    private var node: any NodeAccess { observatory.node }

    private static func query(_ request: Request) throws(APIProblem) -> ConnectorQuery {
        var query = try ConnectorEndpoints.query(request)
        query.limit = min(query.limit, ConnectorListing.rowsMost)
        return query
    }

    private func listing(_ query: ConnectorQuery) async throws(APIProblem) -> ConnectorListing {
        if let progress = node.connectors?.indexProgress {
            return ConnectorListing(
                at: node.world.time.wall, version: node.version, query: query, index: ConnectorIndex(),
                selection: ConnectorSelection(rows: [], matching: 0, before: 0), statuses: [], progress: progress)
        }
        let (index, selection) = try await endpoints.select(query)
        return ConnectorListing(
            at: node.world.time.wall, version: node.version, query: query, index: index, selection: selection,
            statuses: node.connectors?.statuses(of: selection.rows.map(\.id)) ?? [])
    }

    private func list(_ request: Request) async -> Response {
        do throws(APIProblem) {
            return Answer.page(ConnectorsPage(seen: try await listing(try Self.query(request))).markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func one(_ context: BasicRequestContext) async -> Response {
        do throws(APIProblem) {
            let status = try await endpoints.status(try APIEndpoints.name("id", context))
            let works = await node.connectors?.works(of: status.id, most: ConnectorEndpoints.worksMost)
            let page = ConnectorPage(
                status: status, works: works ?? [], letters: await letters(of: status),
                audit: try await endpoints.audit(status.id), at: node.world.time.wall, version: node.version)
            return Answer.page(page.markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func letters(of status: ConnectorStatus) async -> [LetterStatus]? {
        guard status.deadLetters > 0 else { return [] }
        return try? await node.connectors?.deadLetters(of: status.id, most: ConnectorLettersPanel.shown)
    }

    private func ask(_ order: ConnectorOrder, _ context: BasicRequestContext) async -> Response {
        do throws(APIProblem) {
            let status = try await endpoints.status(try APIEndpoints.name("id", context))
            return Answer.page(ConfirmPage(status: status, question: .order(order)).markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func ask(_ deed: LetterDeed, _ context: BasicRequestContext) async -> Response {
        do throws(APIProblem) {
            let status = try await endpoints.status(try APIEndpoints.name("id", context))
            var letter: LetterStatus?
            if let name = context.parameters.get("letter") { letter = try await endpoints.letter(name, of: status.id) }
            return Answer.page(ConfirmPage(status: status, question: .letters(deed, letter)).markup)
        } catch {
            return Answer.page(error)
        }
    }

    private func give(_ order: ConnectorOrder, _ request: Request, _ context: BasicRequestContext) async -> Response {
        await act(request, context) { id, why in try await endpoints.give(order, id, by: "console", why: why) }
    }

    private func handle(_ deed: LetterDeed, _ request: Request, _ context: BasicRequestContext) async -> Response {
        let letter = context.parameters.get("letter")
        return await act(request, context) { id, why in
            _ = try await endpoints.handle(deed, letter, of: id, by: "console", why: why)
        }
    }

    /// Does what the form says and leads back to the page of the connector.
    private func act(
        _ request: Request, _ context: BasicRequestContext, _ deed: (_ id: String, _ why: String) async throws -> Void
    ) async -> Response {
        do {
            let id = try await endpoints.status(try APIEndpoints.name("id", context)).id
            try await deed(id, try await OrderNote.form(request).why ?? "")
            return Answer.seeOther("/connectors/\(PathSegment.encode(id))")
        } catch let problem as APIProblem {
            return Answer.page(problem)
        } catch {
            return Answer.page(APIProblem(400, "bad_request", "The request could not be read."))
        }
    }
}
