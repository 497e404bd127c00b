import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
package import WeirNode
import WeirSettings
package import WeirWorld

/// API, metrics, health and the console's pages of one node, on its own loopback address.
package struct ConsoleServer: Service {
    private let address: APIAddress
    private let world: World
    let observatory: Observatory
    private let onReady: @Sendable (String) async -> Void
    /// `http://127.0.0.1:9471`, as soon as it is bound.
    private let origin = Origin()

    /// Connections at once of pages and programs; each browser keeps up to six, `weir` one. Half of the descriptors
    /// that sources leave free at the most (64 where 1,024 are allowed): the others are for queues and receivers.
    static var connectionsMost: Int { Descriptors.reserve / 2 }
    /// Streams at once (console pages, taps, readings).
    static let streamsMost = 64
    // Connectors ping every 40 s: while there is room, a connection lives from one ping to the next, which is half the
    // work of one made for each.
    static let times = ConnectionTimes.Limits(
        idle: .seconds(30), idleOfDoor: .seconds(60), request: .seconds(30), piece: .seconds(60),
        pushPath: OpenCTIEndpoint.path)

    /// - Parameters:
    ///   - listen: `api.listen`, default `127.0.0.1:9471`; port 0 lets the system choose.
    ///   - onReady: called once with the address that was bound, `http://127.0.0.1:9471/`.
    /// - Throws: a refusal when the address is malformed or not loopback.
    package init(
        node: any NodeAccess, listen: String, world: World,
        onReady: @escaping @Sendable (String) async -> Void = { _ in }
    ) throws(APIAddress.Refusal) {
        address = try APIAddress(listen)
        self.world = world
        self.onReady = onReady
        observatory = Observatory(node: node)
    }

    /// Why the console cannot serve.
    struct ConsoleFailure: Error, CustomStringConvertible {
        var description: String
    }

    /// Serves until the service group stops or the task is cancelled.
    package func run() async throws {
        let connectors = observatory.node.connectors
        try await withGracefulShutdownHandler {
            try await serve()
        } onGracefulShutdown: {
            // Else the server would wait for pushes that wait at a gate.
            connectors?.stopTaking()
        }
    }

    private func serve() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let application = application
            group.addTask {
                do {
                    try await application.run()
                } catch let error as IOError where error.errnoCode == EADDRINUSE {
                    throw ConsoleFailure(
                        description: "Another program listens at \(address.host):\(address.port) already, perhaps "
                            + "another Weir. Stop it, or choose another port for the API.")
                }
            }
            group.addTask { [observatory] in try await observatory.watch() }
            // The watch never ends by itself; when the server does, all does.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    var application: Application<RouterResponder<BasicRequestContext>> {
        let (onReady, origin) = (onReady, origin)
        let host = NetworkAddress.bracketed(address.host)
        var logger = world.log
        // The library logs every start and stop of a server; the node says that once, itself.
        logger.logLevel = max(logger.logLevel, .warning)
        let places = ConnectionPlaces(
            pagesMost: Self.connectionsMost, doorMost: observatory.node.connectors?.openCTIConnectionsMost ?? 0,
            log: world.log)
        let door = openCTI.map { ShortDoor($0, time: world.time) }
        let rests = RestingLoops(time: world.time, pauseThread: LiveTime.pauseThread)
        return Application(
            router: router,
            server: HTTPServerBuilder { responder in
                ConsoleChannel(responder: responder, door: door, rests: rests, isCrowded: { places.isCrowded }) {
                    Self.guards(places)
                }
            },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port),
                availableConnectionsDelegate: places),
            onServerRunning: { channel in
                places.serves(channel)
                origin.set("http://\(host):\(channel.localAddress?.port ?? 0)")
                await onReady(origin.text + "/")
            },
            logger: logger)
    }

    private static func guards(_ places: ConnectionPlaces) -> [any RemovableChannelHandler] {
        let times = ConnectionTimes(times)
        return places.doorMost == 0 ? [times] : [DoorConnection(places, path: OpenCTIEndpoint.path), times]
    }

    var router: Router<BasicRequestContext> {
        // Laid twice: middleware must stand before the routes, and this one knows them.
        let plain = Router(context: BasicRequestContext.self)
        addRoutes(to: plain)
        let router = Router(context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: SecurityHeaders())
        router.add(middleware: ProblemAnswers(known: KnownPaths(plain)))
        router.add(middleware: RequestGuard(approvalHost: observatory.node.identity?.approvalHost))
        addRoutes(to: router)
        return router
    }

    /// `nil` where no connectors are let in.
    private var openCTI: OpenCTIEndpoint? {
        guard let connectors = observatory.node.connectors, connectors.openCTIConnectionsMost != nil else { return nil }
        return OpenCTIEndpoint(connectors: connectors)
    }

    private func addRoutes(to router: Router<BasicRequestContext>) {
        let streams = StreamLimit(capacity: Self.streamsMost)
        let api = APIEndpoints(observatory: observatory, streams: streams)
        for endpoint in HealthEndpoints(node: observatory.node).all + api.all { endpoint.add(to: router) }
        Pages(observatory: observatory, streams: streams, api: api).add(to: router)
        if let decisions = observatory.node.tunnel?.decisions {
            DecisionEndpoint(service: decisions, origin: origin).add(to: router)
        }
        if let identity = observatory.node.identity { ApprovalPages(identity: identity).add(to: router) }
        openCTI?.add(to: router)
    }
}

/// Where a server is reached, known once its port is bound.
final class Origin: Sendable {
    private let bound = Mutex("")
    var text: String { bound.withLock { $0 } }
    func set(_ text: String) { bound.withLock { $0 = text } }
}
