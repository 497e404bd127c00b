import AsyncHTTPClient
import Logging
import NIOCore
import NIOPosix
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

/// What a test plans destinations with: the live world, NIO's shared loops and one HTTP client for all tests.
enum Bench {
    static let eventLoops = MultiThreadedEventLoopGroup.singleton
    static let world = World.live(log: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    static let http = HTTPFamily.makeClient(eventLoops: eventLoops)
    static let means = DestinationMeans(world: world, eventLoops: eventLoops, http: http)

    static func planned(_ settings: any DestinationSettings) -> (plan: DestinationPlan?, problems: [SettingProblem]) {
        var planning = DestinationPlanning(name: "test", means: means, path: "destinations.test")
        guard case .receiver(let plan) = settings.plan(&planning) else { return (nil, planning.problems) }
        return (plan, planning.problems)
    }

    /// The first endpoint of a destination with these settings.
    static func endpoint(_ settings: any DestinationSettings) throws -> any Destination {
        let (plan, problems) = planned(settings)
        guard let endpoint = plan?.endpoints.first else { throw NoPlan(problems: problems) }
        return endpoint.make(nil)
    }

    struct NoPlan: Error { var problems: [SettingProblem] }

    static let context = BatchContext(kind: .raw, source: "test", received: WallTime(nanoseconds: 0))
    static let jsonContext = BatchContext(kind: .json, source: "test", received: WallTime(nanoseconds: 0))

    static func batch(_ texts: String...) -> Batch { Batch.texts(texts, context: context) }
    static func json(_ texts: String...) -> Batch { Batch.texts(texts, context: jsonContext) }
}

/// Runs something that should fail to deliver, and hands out how.
func failure(_ body: () async throws(DeliveryFailure) -> Void) async -> DeliveryFailure? {
    do throws(DeliveryFailure) {
        try await body()
        return nil
    } catch {
        return error
    }
}
