import FoundationEssentials
import HTTPTypes
import Hummingbird
import ServiceLifecycle
import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// The table of the JSON API.
struct APIEndpoints: Sendable {
    let observatory: Observatory
    let streams: StreamLimit
    private var node: any NodeAccess { observatory.node }

    init(observatory: Observatory, streams: StreamLimit) {
        self.observatory = observatory
        self.streams = streams
    }

    var connectors: ConnectorEndpoints { ConnectorEndpoints(node: node) }

    var all: [Endpoint] { described + [document(of: described)] }

    private var described: [Endpoint] {
        [
            gates, gate, hold, release, sources, destinations, routes, queues, drain, health, taps, deadLetters,
            replay, events,
        ] + connectors.all + TunnelEndpoints(node: node).all + IdentityEndpoints(node: node).all
    }

    private func document(of endpoints: [Endpoint]) -> Endpoint {
        var row = Endpoint(
            method: .get, path: "/api/v1/openapi.json", operation: "openapi", summary: "This description of the API.",
            answer: .document, respond: { _, _ in Response(status: .ok) })
        let text = OpenAPIDocument.text(endpoints + [row], version: node.version)
        row.respond = { _, _ in Answer.text(text, type: "application/json") }
        return row
    }

    // MARK: Gates

    private var gates: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/gates", operation: "list_gates",
            summary: "Gates, most pressed first: all but those of connectors beyond the limit.",
            query: [Self.connectorGates], answer: .json(Schema([GateView].self)), problems: [400]
        ) { request, _ in
            var seen = observatory.look()
            if seen.gatesLeft > 0 {
                var query = ConnectorQuery()
                query.order = .state
                query.limit = try Endpoint.value(Self.connectorGates, of: request)
                seen.gates += try await connectors.select(query).selection.rows.compactMap {
                    node.gates.reading(GateKind.connectorPrefix + $0.id)
                }
            }
            return try Answer.json(seen.mostPressedFirst.map { seen.view($0) })
        }
    }

    private static let connectorGates = Endpoint.Query(
        name: "connectors",
        meaning: "where there are more than 50 connectors, the gates of so many of them come along, the worst first",
        range: 0...10_000, standard: 100)

    private var gate: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/gates/{id}", operation: "get_gate",
            summary: "One gate, with its last changes of state.", answer: .json(Schema(GateView.self)), problems: [404]
        ) { _, context in try Answer.json(try view(Self.name("id", context))) }
    }

    private var hold: Endpoint {
        order("hold", "Holds everything at the gate until it is released.") { .hold(by: "api") }
    }

    private var release: Endpoint {
        order("release", "Ends a hold or a suspension and tries at once.") { .release(by: "api") }
    }

    private func order(
        _ verb: String, _ summary: String, _ order: @escaping @Sendable () -> GateRegistry.Order
    ) -> Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/gates/{id}/\(verb)", operation: "\(verb)_gate", summary: summary,
            answer: .json(Schema(GateView.self)), problems: [404]
        ) { _, context in
            let id = try Self.name("id", context)
            try give(order(), id)
            return try Answer.json(try view(id))
        }
    }

    /// - Throws: `APIProblem` when there is no such gate.
    func give(_ order: GateRegistry.Order, _ id: String) throws(APIProblem) {
        guard node.gates.order(order, id) else { throw unknownGate(id) }
    }

    /// Connectors' gates may be meant, but their ids would fill the list.
    func unknownGate(_ id: String) -> APIProblem {
        let ids = node.gates.ids
        let isConnector = { (id: String) in id.hasPrefix(GateKind.connectorPrefix) }
        return APIProblem.unknown(
            "gate", id, known: ids.filter { !isConnector($0) }, also: Array(ids.filter(isConnector).prefix(5_000)))
    }

    private func view(_ id: String) throws(APIProblem) -> GateView {
        let seen = observatory.look(at: id)
        guard let reading = seen.gates.first(where: { $0.id == id }) else {
            throw unknownGate(id)
        }
        var view = seen.view(reading)
        view.history = seen.histories[id]?.transitions ?? []
        return view
    }

    // MARK: Lists

    private var sources: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/sources", operation: "list_sources", summary: "Where events come in.",
            answer: .json(Schema([SourceView].self))
        ) { _, _ in
            let seen = observatory.look()
            return try Answer.json(
                seen.sources.map { SourceView($0, eventsPerSecond: seen.sourceRates[$0.reading.name] ?? 0) })
        }
    }

    private var destinations: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/destinations", operation: "list_destinations",
            summary: "Where events go, with the gate and the endpoints of each.",
            answer: .json(Schema([DestinationView].self))
        ) { _, _ in
            let seen = observatory.look()
            return try Answer.json(
                seen.destinations.map { DestinationView($0, rates: seen.rates($0.gate?.id ?? $0.name), at: seen.at) })
        }
    }

    private var routes: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/routes", operation: "list_routes", summary: "The rules that choose, in order.",
            answer: .json(Schema([RouteView].self))
        ) { _, _ in try Answer.json(node.routes.map(RouteView.init)) }
    }

    private var queues: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/queues", operation: "list_queues",
            summary: "Queues on disk, those without a destination included.",
            answer: .json(Schema([StoredQueueView].self))
        ) { _, _ in
            let now = node.world.time.wall
            return try Answer.json(node.queues.map { StoredQueueView($0, at: now) })
        }
    }

    private var drain: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/queues/{name}/drain/{destination}", operation: "drain_queue",
            summary:
                "Begins to send what an orphaned queue holds through a destination's gate; empty, it is removed.",
            answer: .json(Schema(StoredQueueView.self)), problems: [404, 409]
        ) { _, context in
            let name = try Self.name("name", context)
            try drain(name, to: try destination(context))
            guard let queue = node.queues.first(where: { $0.name == name }) else {
                throw APIProblem.unknown("queue", name, known: [])
            }
            return try Answer.json(StoredQueueView(queue, at: node.world.time.wall))
        }
    }

    /// - Throws: `APIProblem` when there is no such orphan or destination, or it drains already.
    func drain(_ name: String, to destination: String) throws(APIProblem) {
        let queues = node.queues
        guard let queue = queues.first(where: { $0.name == name }) else {
            throw APIProblem.unknown("queue", name, known: queues.map(\.name))
        }
        guard queue.isOrphan else {
            throw APIProblem(
                409, "not_an_orphan",
                "The queue \(Printable.line(name)) belongs to a destination, which drains it itself.",
                help: "`weir why \(Printable.line(name))` says why it is not empty.")
        }
        guard node.drainQueue(name, to: destination) else {
            throw APIProblem(
                409, "drains_already",
                "The queue \(Printable.line(name)) drains already"
                    + (queue.drainsTo.map { ", to \(Printable.line($0))." } ?? "."),
                help: "`weir get queues` shows what is left.")
        }
    }

    private var health: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/health", operation: "get_health",
            summary: "The parts of readiness, and warnings of the configuration. A held gate is not a failure.",
            answer: .json(Schema(HealthView.self))
        ) { _, _ in try Answer.json(HealthView(node)) }
    }

    // MARK: Dead letters

    private static let letters = Endpoint.Query(
        name: "limit", meaning: "how many at most, oldest first", range: 1...1_000, standard: 100)

    private var deadLetters: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/dead-letters/{destination}", operation: "list_dead_letters",
            summary: "Events that the destination refused for good, oldest first.", query: [Self.letters],
            answer: .json(Schema([DeadLetterAPIView].self)), problems: [400, 404, 503]
        ) { request, context in
            let name = try destination(context)
            let limit = try Endpoint.value(Self.letters, of: request)
            let letters = try await orProblem("read", name) { try await node.deadLetters(name, limit: limit) }
            return try Answer.json(letters.map(DeadLetterAPIView.init))
        }
    }

    private var replay: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/dead-letters/{destination}/replay", operation: "replay_dead_letters",
            summary: "Sends the dead letters through the destination's gate again.",
            answer: .json(Schema(ReplayView.self)),
            problems: [404, 503]
        ) { _, context in
            let name = try destination(context)
            let count = try await orProblem("replay", name) { try await node.replayDeadLetters(name) }
            return try Answer.json(ReplayView(events: count))
        }
    }

    /// The destination in the path.
    func destination(_ context: BasicRequestContext) throws(APIProblem) -> String {
        let name = try Self.name("destination", context)
        let known = node.destinations.map(\.name)
        guard known.contains(name) else { throw APIProblem.unknown("destination", name, known: known) }
        return name
    }

    private func orProblem<Value: Sendable>(
        _ verb: String, _ name: String, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let problem as APIProblem {
            throw problem
        } catch {
            throw APIProblem(
                503, "dead_letters_unavailable",
                "The dead letters of \(name) could not be \(verb == "read" ? "read" : "sent again").",
                detail: Printable.line("\(error)"), help: "The log of the node says more.")
        }
    }

    // MARK: Streams

    private static let tapLimit = Endpoint.Query(
        name: "limit", meaning: "ends after so many events", range: 1...10_000, standard: 100)
    private static let tapDuration = Endpoint.Query(
        name: "duration", meaning: "ends after so many seconds", range: 1...600, standard: 60)

    private var taps: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/taps/{name}", operation: "tap",
            summary: "Events that pass a source, route or destination, as they come.",
            query: [Self.tapLimit, Self.tapDuration],
            answer: .lines(Schema(TapView.self)), problems: [400, 404, 429]
        ) { request, context in
            let name = try Self.name("name", context)
            let limit = try Endpoint.value(Self.tapLimit, of: request)
            let seconds = try Endpoint.value(Self.tapDuration, of: request)
            let place = try streams.enter()
            guard let stream = node.tap(name, limit: limit, duration: .seconds(seconds)) else {
                let known = node.sources.map(\.reading.name) + node.routes.map(\.name) + node.destinations.map(\.name)
                throw APIProblem.unknown("source, route or destination", name, known: known.filter { $0 != name })
            }
            let body = ResponseBody { writer in
                defer { place.leave() }
                for await event in stream.cancelOnGracefulShutdown() {
                    try await writer.write(ByteBuffer(string: try JSONText.encode(TapView(event)) + "\n"))
                }
                try await writer.finish(nil)
            }
            return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
        }
    }

    private var events: Endpoint {
        Endpoint(
            method: .get, path: "/api/v1/events", operation: "stream_readings",
            summary: "All gates and sources once a second, as server-sent events named `readings`.",
            answer: .events(Schema(ReadingsView.self)), problems: [429]
        ) { _, _ in
            let place = try streams.enter()
            return EventStream.response(node.world.time, place: place) {
                let seen = observatory.look()
                let readings = ReadingsView(
                    at: seen.at.description, gates: seen.mostPressedFirst.map { seen.view($0) },
                    sources: seen.sources.map {
                        SourceView($0, eventsPerSecond: seen.sourceRates[$0.reading.name] ?? 0)
                    })
                return EventStream.Message(event: "readings", data: try JSONText.encode(readings))
            }
        }
    }

    static func name(_ parameter: String, _ context: BasicRequestContext) throws(APIProblem) -> String {
        guard let text = context.parameters.get(parameter), let name = PathSegment.decode(text) else {
            throw APIProblem(
                400, "bad_name", "The path holds no readable name.", help: "Names are percent-encoded UTF-8.")
        }
        return name
    }
}

extension TapView {
    init(_ event: TapEvent) {
        at = event.at.description
        source = event.source
        kind = "\(event.kind)"
        skipped = event.skipped
        let bytes = Array(event.content.readableBytesView)
        content = String(validating: bytes, as: UTF8.self)
        contentBase64 = content == nil ? Data(bytes).base64EncodedString() : nil
    }
}

extension DeadLetterAPIView {
    init(_ letter: DeadLetterView) {
        at = letter.at.description
        reason = ReasonView(letter.reason)
        attempts = letter.attempts
        let bytes = Array(letter.content.readableBytesView)
        content = String(validating: bytes, as: UTF8.self)
        contentBase64 = content == nil ? Data(bytes).base64EncodedString() : nil
    }
}
