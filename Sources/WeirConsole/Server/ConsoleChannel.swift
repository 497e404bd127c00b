import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// One connection to the API's address. What the router needs of it (its own queues, a task that waits) is made with
/// the first request for it: ten thousand connectors that ping are as many connections that never ask for it.
struct ConsoleChannel: HTTPChannelHandler {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        fileprivate let router: EventLoopFuture<ShortRequests.Router?>
    }

    // Limits of a request's head, as Hummingbird has them.
    private static let headBytesMost = 80 * 1_024
    private static let headFieldsMost = 1_000

    let responder: HTTPChannelHandler.Responder
    let door: ShortDoor?
    let rests: RestingLoops
    let isCrowded: @Sendable () -> Bool
    /// Stand between HTTP and whoever answers.
    let guards: @Sendable () -> [any RemovableChannelHandler]

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let router = channel.eventLoop.makePromise(of: ShortRequests.Router?.self)
        let done = channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = Self.headBytesMost
            limits.maxHeaderListSize = Self.headBytesMost
            limits.maxHeaderFieldCount = Self.headFieldsMost
            let pipeline = channel.pipeline.syncOperations
            let activity = RequestActivity(rests.resting(channel.eventLoop))
            let kept = door.map { KeptRequest(dates: $0.dates) }
            if let door, let kept {
                try pipeline.addHandler(RepeatedRequests(kept, activity, time: door.time, isCrowded: isCrowded))
            }
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandlers(guards())
            try pipeline.addHandler(
                ShortRequests(door, kept, activity, router: router) { channel in try Self.connect(channel, logger) })
            return Value(channel: channel, router: router.futureResult)
        }
        done.whenFailure { _ in router.succeed(nil) }
        return done
    }

    private static func connect(_ channel: any Channel, _ logger: Logger) throws -> ShortRequests.Router {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    func handle(value: Value, logger: Logger) async {
        let router = await withTaskCancellationHandler {
            try? await value.router.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
        if let router { await handleHTTP(asyncChannel: router, logger: logger) }
    }
}
