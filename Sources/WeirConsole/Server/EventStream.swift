import HTTPTypes
import Hummingbird
import ServiceLifecycle
import Synchronization
import WeirWorld

/// Server-sent events: one message a second, made when it is sent. A reader that is slow gets the newest state later,
/// never a backlog: that is the console's own gate.
enum EventStream {
    struct Message: Sendable {
        var event: String
        var data: String
    }

    /// How long a browser waits before it connects again.
    static let retryMilliseconds = 2_000
    /// A comment is sent when nothing else was for this long, so that a dead connection is noticed.
    static let heartbeat: Duration = .seconds(15)

    /// - Parameter next: the newest message; `nil` when nothing has changed since the last one.
    static func response(
        _ time: any TimeSource, place: StreamLimit.Place, _ next: @escaping @Sendable () async throws -> Message?
    ) -> Response {
        let body = ResponseBody { writer in
            defer { place.leave() }
            try await writer.write(ByteBuffer(string: "retry: \(retryMilliseconds)\n\n"))
            var spoken = time.now
            for await now in Seconds(time: time).cancelOnGracefulShutdown() {
                if let message = try await next() {
                    try await writer.write(ByteBuffer(string: "event: \(message.event)\ndata: \(message.data)\n\n"))
                    spoken = now
                } else if now - spoken >= heartbeat {
                    try await writer.write(ByteBuffer(string: ": still here\n\n"))
                    spoken = now
                }
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: body)
    }
}

/// Now, and then once a second, until the task is cancelled. The second begins when the element was used: a slow user
/// gets fewer.
struct Seconds: AsyncSequence, Sendable {
    let time: any TimeSource

    struct Iterator: AsyncIteratorProtocol {
        let time: any TimeSource
        var isFirst = true

        mutating func next() async -> Moment? {
            if isFirst {
                isFirst = false
                return time.now
            }
            do { try await time.sleep(for: .seconds(1)) } catch { return nil }
            return time.now
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(time: time) }
}

/// Bounds how many streams are served at once; each costs a task, a connection and a message a second.
final class StreamLimit: Sendable {
    private let free: Mutex<Int>
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        free = Mutex(capacity)
    }

    /// - Throws: `APIProblem` 429 when all are taken.
    func enter() throws(APIProblem) -> Place {
        let entered = free.withLock { free -> Bool in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        guard entered else {
            throw APIProblem(
                429, "too_many_streams", "\(capacity) streams are open already.",
                help: "Close one, or ask for a list instead.")
        }
        return Place(limit: self)
    }

    /// The right to one stream; given back once, by `leave` or with its last reference.
    final class Place: Sendable {
        private let limit: Mutex<StreamLimit?>

        fileprivate init(limit: StreamLimit) { self.limit = Mutex(limit) }
        deinit { leave() }

        func leave() {
            let limit = limit.withLock { limit -> StreamLimit? in
                defer { limit = nil }
                return limit
            }
            limit?.free.withLock { $0 += 1 }
        }
    }
}
