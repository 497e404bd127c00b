import WeirDelivery
import WeirFlow
import WeirWorld

/// The events of a tap one by one, for people: bounded in number and time.
enum TapStream {
    /// - Parameter source: only its events; `nil` for all.
    static func events(
        of tap: Tap, from source: String? = nil, limit: Int, duration: Duration, world: World
    ) -> AsyncStream<TapEvent> {
        let batches = tap.open()
        return AsyncStream(bufferingPolicy: .bufferingOldest(256)) { continuation in
            // Ends by itself after `duration`; cancelled when the reader goes.
            let reading = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        var shown = 0
                        var skipped = 0
                        for await batch in batches where source == nil || batch.context.source == source {
                            skipped += tap.takeSkipped()
                            for index in 0..<batch.count {
                                guard shown < limit else { return }
                                let event = TapEvent(
                                    at: batch.context.received, source: batch.context.source, kind: batch.kind,
                                    content: batch.event(at: index), skipped: skipped)
                                if case .dropped = continuation.yield(event) {
                                    skipped += 1
                                } else {
                                    skipped = 0
                                    shown += 1
                                }
                            }
                            if shown >= limit { return }
                        }
                    }
                    group.addTask { try? await world.time.sleep(for: duration) }
                    await group.next()
                    group.cancelAll()
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in reading.cancel() }
        }
    }
}
