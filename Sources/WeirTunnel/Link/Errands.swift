internal import NIOCore

/// What links have to ask of those who do not live on an event loop (disk, other servers): run by their hub or agent,
/// answered on the link's event loop.
final class Errands: Sendable {
    /// Errands that wait; more are dropped, and their askers' own time limits see to them.
    private static let most = 10_000

    private let stream: AsyncStream<@Sendable () async -> Void>
    private let into: AsyncStream<@Sendable () async -> Void>.Continuation

    init() { (stream, into) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.most)) }

    /// - Parameter owner: whom `then` is about; both are touched on `loop` only.
    func run<Owner: AnyObject, Value: Sendable>(
        _ work: @escaping @Sendable () async throws(TunnelFailure) -> Value, on loop: any EventLoop, with owner: Owner,
        then: @escaping (Owner, Result<Value, TunnelFailure>) -> Void
    ) {
        let back = NIOLoopBound((owner: owner, then: then), eventLoop: loop)
        into.yield {
            let result: Result<Value, TunnelFailure>
            do throws(TunnelFailure) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            loop.execute { back.value.then(back.value.owner, result) }
        }
    }

    func stop() { into.finish() }

    /// Until `stop`, or until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await errand in stream { group.addTask { await errand() } }
        }
    }
}
