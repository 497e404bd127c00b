import NIOCore
import NIOEmbedded
import NIOPosix
import WeirWorld

@testable import WeirTunnel

/// What an agent of the simulation sees of its surroundings: the way to the hub, its targets, and who counts for it.
///
/// `@unchecked Sendable`, because the product's seams ask for it and `TunnelWorld` is not: nothing protects it but that
/// all tasks of a simulation run on its executor, and its event loop is turned on the same thread.
final class SimSite: LinkDialler, TargetDialler, TunnelObserver, @unchecked Sendable {
    private unowned let world: TunnelWorld
    private let agent: String

    init(_ world: TunnelWorld, agent: String) { (self.world, self.agent) = (world, agent) }

    // MARK: The hub

    func dial(on loop: any EventLoop, ready: @escaping @Sendable (any Channel) throws -> Void)
        async throws(TunnelFailure) -> any Channel
    {
        world.dials(agent)
        let way = Duration.milliseconds(Int64.random(in: 1...60, using: &world.chance.generator))
        try? await world.outside.time.sleep(for: world.dialsHang ?? way)
        guard world.isReachable, world.dialsHang == nil else { throw TunnelFailure("connect", "The hub is not there.") }
        do {
            return try world.connect(agent, ready)
        } catch {
            throw TunnelFailure("connect", "\(error)")
        }
    }

    // MARK: Targets

    func dial(
        _ target: Agent.Target, for request: OpenRequest, on loop: any EventLoop, within limit: TimeAmount
    ) -> EventLoopFuture<any Channel> {
        let promise = loop.makePromise(of: (any Channel).self)
        guard let channel = world.asked(request)?.target.channel else {
            promise.fail(IOError(errnoCode: ECONNREFUSED, reason: "nobody"))
            return promise.futureResult
        }
        let chance = Int.random(in: 0..<30, using: &world.chance.generator)
        let delay = TimeAmount.microseconds(Int64.random(in: 0...30_000, using: &world.chance.generator))
        _ = loop.scheduleTask(in: chance == 0 ? limit : delay) {
            switch chance {
            case 0: promise.fail(ChannelError.connectTimeout(limit))
            case 1: promise.fail(IOError(errnoCode: ECONNREFUSED, reason: "refused"))
            default: promise.succeed(channel)
            }
        }
        return promise.futureResult
    }

    // MARK: Counting

    func agentJoined(_ agent: String, connectors: [String], link: UInt64) { world.joined(agent) }
    func agentLeft(_ agent: String, link: UInt64, _ end: LinkEnd, wasLast: Bool) {}
    func agentRefused(_ code: String) {}
    func agentMistook(_ agent: String, _ mistake: AgentMistake) {}
    func openRefused(_ status: DialStatus) {}
    func doorClosed(_ end: DoorEnd) {}
    func decided(_ decision: OpenDecision, connector: String, after: Duration) {}
    func failedToAccept(_ connector: String) {}
    func connection(_ connector: String, _ result: ConnectionResult) {}
    func dialled(_ connector: String, _ reason: StreamReason?, after: Duration) {}

    func meter(_ opening: ConnectionOpening) -> any StreamMeter {
        Meter { [world] reason in world.ended(opening, reason) }
    }

    /// Tells of the end only.
    private final class Meter: StreamMeter {
        private let atEnd: (StreamReason?) -> Void
        init(_ atEnd: @escaping (StreamReason?) -> Void) { self.atEnd = atEnd }
        func sent(_ bytes: Int) {}
        func received(_ bytes: Int) {}
        func room(_ bytes: Int) {}
        func drained(_ bytes: Int) {}
        func passed(write: Duration, drain: Duration) {}
        func waits(_ direction: ConnectorFigures.Direction, _ cause: ConnectorFigures.Cause, _ waits: Bool) {}
        func finishSent() {}
        func finishReceived() {}
        func ended(_ reason: StreamReason?, byPeer: Bool) { atEnd(reason) }
    }
}
