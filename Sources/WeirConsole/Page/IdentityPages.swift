import HTTPTypes
import Hummingbird
import WeirIdentity
import WeirNode
import WeirWorld

/// The console's pages about identity: where it stands, what waits, what was.
struct IdentityPages: Sendable {
    let node: any NodeAccess
    let endpoints: IdentityEndpoints
    let live: @Sendable (@escaping @Sendable () async throws -> LiveCells) throws -> Response

    func add(to router: Router<BasicRequestContext>) {
        router.get("/identity") { _, _ in
            await page { Answer.page(IdentityPage(seen: try await listing()).markup) }
        }
        router.get("/live/identity") { _, _ in try live { LiveCells(try await listing()) } }
        router.get("/identity/{id}") { _, context in
            await page {
                let view = try await endpoints.identity(try APIEndpoints.name("id", context))
                return Answer.page(PersonPage(view: view).markup)
            }
        }
        router.get("/reviews") { request, _ in await page { try await reviews(request) } }
        router.get("/history") { request, _ in await page { try await history(request) } }
        router.get("/history/{id}") { request, context in await page { try await sync(request, context) } }
    }

    private func listing() async throws -> IdentityListing {
        guard let identity = node.identity else { return IdentityListing(version: node.version) }
        var seen = IdentityListing(version: node.version)
        seen.isConfigured = true
        seen.silos = await identity.service.silos()
        seen.rules = await identity.service.rules()
        seen.running = await identity.service.running()
        seen.syncs = try await endpoints.read { try await $0.syncs(PageRequest(count: 10)) }.items
        seen.failing = identity.notices.entries.filter(\.isFailing)
        return seen
    }

    private func reviews(_ request: Request) async throws -> Response {
        guard node.identity != nil else { return Answer.page(IdentityPage(seen: try await listing()).markup) }
        let holds = try await endpoints.read { try await $0.holds() }
        var filter = try IdentityEndpoints.filter(request)
        filter.states = [.suspended]
        var asked = try IdentityEndpoints.page(request)
        asked.count = min(asked.count, ReviewsPage.rowsMost)
        // VIPs stand on top of the first page, whatever the order of the others.
        var important: [ActionView] = []
        if asked.after == nil {
            filter.reason = .vip
            let vips = filter
            important = try await endpoints.read { try await $0.actions(vips, PageRequest(count: 50)) }.items
            filter.reason = nil
        }
        let (rest, page) = (filter, asked)
        let found = try await endpoints.read { try await $0.actions(rest, page) }
        let known = Set(important.map(\.id))
        let rows = important + found.items.filter { !known.contains($0.id) }
        return Answer.page(
            ReviewsPage(
                holds: holds, rule: filter.rule, run: filter.sync, rows: rows, total: found.total, next: found.next,
                isFirst: asked.after == nil, at: node.world.time.wall
            ).markup)
    }

    private func history(_ request: Request) async throws -> Response {
        guard node.identity != nil else { return Answer.page(IdentityPage(seen: try await listing()).markup) }
        let asked = try IdentityEndpoints.page(request)
        let syncs = try await endpoints.read { try await $0.syncs(asked) }
        let audit = try await endpoints.read { try await $0.audit(PageRequest(count: 50)) }
        return Answer.page(HistoryPage(syncs: syncs, audit: audit).markup)
    }

    private func sync(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let view = try await endpoints.sync(try APIEndpoints.name("id", context))
        let filter = try IdentityEndpoints.filter(request)
        let asked = try IdentityEndpoints.page(request)
        let triggers = try await endpoints.read {
            try await $0.triggers(sync: view.id, rule: filter.rule, outcome: nil, asked)
        }
        return Answer.page(SyncPage(view: view, rule: filter.rule, triggers: triggers).markup)
    }

    private func page(_ body: () async throws -> Response) async -> Response {
        do {
            return try await body()
        } catch let problem as APIProblem {
            return Answer.page(problem)
        } catch {
            return Answer.page(APIProblem(503, "identity_unavailable", "What is kept of identities could not be read."))
        }
    }
}
