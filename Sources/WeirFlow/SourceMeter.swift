import Synchronization
package import WeirWorld

/// What a source counts, a few atomics that are changed once per batch.
package final class SourceMeter: Sendable {
    package let name: String
    package let type: String
    private let events = Atomic<UInt64>(0)
    private let bytes = Atomic<UInt64>(0)
    private let waited = Atomic<UInt64>(0)
    private let connections = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let rest = Mutex<(dropped: [String: UInt64], malformed: [String: UInt64], refused: [String: UInt64])>(
        ([:], [:], [:]))

    package init(name: String, type: String) {
        self.name = name
        self.type = type
    }

    /// Events that were read and handed to the routes.
    package func took(events count: Int, bytes size: Int) {
        events.wrappingAdd(UInt64(count), ordering: .relaxed)
        bytes.wrappingAdd(UInt64(size), ordering: .relaxed)
    }

    /// Events that could not be kept because the sender cannot wait (UDP): lost, by reason code.
    package func dropped(_ count: Int, code: String) { rest.withLock { $0.dropped[code, default: 0] += UInt64(count) } }

    /// Events cut, repaired or dead-lettered because they were not as the protocol says, by reason code.
    package func malformed(_ count: Int, code: String) {
        rest.withLock { $0.malformed[code, default: 0] += UInt64(count) }
    }

    /// Requests or connections refused, by reason code (`429`, `too_many_connections`, `unauthorized`).
    package func refused(_ code: String) { rest.withLock { $0.refused[code, default: 0] += 1 } }

    package func connectionOpened() { connections.wrappingAdd(1, ordering: .relaxed) }
    package func connectionClosed() { connections.wrappingSubtract(1, ordering: .relaxed) }

    /// Runs `body` (an `accept`) and counts the time in it as time that this source was held back.
    package func waiting<Value, Failure: Error>(
        _ time: any TimeSource, _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let start = time.now
        waiting.wrappingAdd(1, ordering: .relaxed)
        defer {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            waited.wrappingAdd(UInt64(max(0, (time.now - start).nanoseconds)), ordering: .relaxed)
        }
        return try await body()
    }

    package var reading: SourceReading {
        let rest = rest.withLock { $0 }
        return SourceReading(
            name: name, type: type, events: events.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed),
            connections: connections.load(ordering: .relaxed), waiting: waiting.load(ordering: .relaxed),
            waitedNanoseconds: waited.load(ordering: .relaxed), dropped: rest.dropped, malformed: rest.malformed,
            refused: rest.refused)
    }
}

package struct SourceReading: Sendable, Hashable {
    package var name: String
    package var type: String
    package var events: UInt64
    package var bytes: UInt64
    package var connections: Int
    /// Batches that wait for room right now.
    package var waiting: Int
    package var waitedNanoseconds: UInt64
    package var dropped: [String: UInt64]
    package var malformed: [String: UInt64]
    package var refused: [String: UInt64]
}
