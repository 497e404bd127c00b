import HTTPTypes
import Hummingbird
import Synchronization
import WeirGates
import WeirNode
import WeirWorld

/// The console's pages, what they are made of, and the two buttons.
struct Pages: Sendable {
    let observatory: Observatory
    let streams: StreamLimit
    let api: APIEndpoints

    func add(to router: Router<BasicRequestContext>) {
        router.get("/") { _, _ in Answer.page(OverviewPage(seen: observatory.look()).markup) }
        router.get("/console.css") { _, _ in Answer.text(ConsoleStyle.text, type: "text/css; charset=utf-8") }
        router.get("/console.js") { _, _ in Answer.text(ConsoleScript.text, type: "text/javascript; charset=utf-8") }
        router.get("/icon.svg") { _, _ in Answer.text("\(Icon.file)", type: "image/svg+xml") }
        router.get("/live") { request, _ in
            let gate = try Endpoint.text(Self.gate, of: request)
            return try live { LiveCells(observatory.look(at: gate)) }
        }
        router.get("/gates/{id}") { _, context in gate(context) }
        router.post("/gates/{id}/hold") { request, context in order(.hold(by: "console"), request, context) }
        router.post("/gates/{id}/release") { request, context in order(.release(by: "console"), request, context) }
        ConnectorPages(observatory: observatory, endpoints: api.connectors, live: live).add(to: router)
        IdentityPages(node: observatory.node, endpoints: IdentityEndpoints(node: observatory.node), live: live)
            .add(to: router)
        router.get("/tunnels") { _, _ in Answer.page(TunnelsPage(seen: TunnelListing(observatory.node)).markup) }
        router.get("/live/tunnels") { _, _ in try live { LiveCells(TunnelListing(observatory.node)) } }
        router.post("/queues/{name}/drain/{destination}") { _, context in drain(context) }
    }

    private func gate(_ context: BasicRequestContext) -> Response {
        do throws(APIProblem) {
            let id = try APIEndpoints.name("id", context)
            let seen = observatory.look(at: id)
            guard let reading = seen.gates.first(where: { $0.id == id }) else {
                throw api.unknownGate(id)
            }
            return Answer.page(GatePage(reading: reading, seen: seen).markup)
        } catch {
            return page(error)
        }
    }

    private func order(_ order: GateRegistry.Order, _ request: Request, _ context: BasicRequestContext) -> Response {
        do throws(APIProblem) {
            let id = try APIEndpoints.name("id", context)
            try api.give(order, id)
            return Answer.seeOther(request.uri.query == "from=gate" ? "/gates/\(PathSegment.encode(id))" : "/")
        } catch {
            return page(error)
        }
    }

    private func drain(_ context: BasicRequestContext) -> Response {
        do throws(APIProblem) {
            try api.drain(try APIEndpoints.name("name", context), to: try api.destination(context))
            return Answer.seeOther("/")
        } catch {
            return page(error)
        }
    }

    private func page(_ problem: APIProblem) -> Response { Answer.page(problem) }

    private static let gate = Endpoint.Query(name: "gate", meaning: "the gate whose page is shown", kind: .text)

    /// What changed, once a second, as patches.
    private func live(_ look: @escaping @Sendable () async throws -> LiveCells) throws -> Response {
        let place = try streams.enter()
        let sent = Mutex<LiveCells?>(nil)
        return EventStream.response(observatory.node.world.time, place: place) {
            let cells = try await look()
            let patch = sent.withLock { sent -> LiveCells.Patch in
                defer { sent = cells }
                return cells.changes(since: sent)
            }
            return EventStream.Message(event: "patch", data: try JSONText.encode(patch))
        }
    }
}
