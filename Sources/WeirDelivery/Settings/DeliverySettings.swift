package import WeirFlow
package import WeirGates
package import WeirSettings

/// What every destination has beside its own keys: how it is held back, retried, queued and what becomes of what it
/// refuses.
package struct DeliverySettings: Settings {
    /// What happens to events when the receiver does not keep up.
    package enum OnBackpressure: String, SettingChoice {
        case block, drop, queue
        package var help: String {
            switch self {
            case .block: "The senders wait."
            case .drop: "What finds no room is dropped and counted."
            case .queue: "Events go to the disk queue until the receiver has caught up."
            }
        }
    }

    /// What happens when the receiver says that the destination itself is wrong (401, 403, 404, 405, 407).
    package enum ClientErrors: String, SettingChoice {
        case suspend
        case deadLetter = "dead_letter"
        case drop
        package var help: String {
            switch self {
            case .suspend: "The destination is suspended until a person releases it; nothing is lost."
            case .deadLetter: "The events are dead-lettered and the flow goes on."
            case .drop:
                "Every batch answered with a 4xx (but 408, 425, 429) is dropped whole and counted: Cribl's behaviour."
            }
        }
    }

    package var onBackpressure = OnBackpressure.block
    package var buffer = ByteCount.mebibytes(8)
    package var concurrency: Int?
    package var timeout: Duration?
    package var retry = RetrySettings()
    package var clientErrors = ClientErrors.suspend
    package var queue: DiskQueueSettings?
    package var deadLetters = DeadLetterSettings()
    package var batch = BatchSettings()

    package init() {}

    package static let fields: [Field<Self>] = [
        field("on_backpressure", \.onBackpressure, "What happens to events when the receiver does not keep up."),
        field(
            "buffer", \.buffer, range: .kibibytes(64)...(.gibibytes(16)),
            """
            Bytes of events held in memory for this destination, with those in flight. A batch is let in while there \
            is room for it, or alone; with a disk queue at work, one batch passes beside what hangs in flight.
            """),
        field(
            "concurrency", \.concurrency, range: 1...1_024,
            """
            Sends in flight at once. Weir begins with one and finds by trying how many the receiver takes, up to this. \
            Default: as the destination's type says, mostly 5.
            """),
        field(
            "timeout", \.timeout, range: .milliseconds(1)...(.hours(1)),
            "How long one send may take before it counts as failed. Default: as the destination's type says, mostly "
                + "30s."
        ),
        field("retry", \.retry, "How long to wait between attempts."),
        field(
            "client_errors", \.clientErrors,
            """
            What happens when the receiver answers 401, 403, 404, 405 or 407. Other 4xx are never sent again: the \
            batch is \
            split to find the bad events, and those are dead-lettered.
            """),
        field(
            "queue", \.queue, examples: ["{ mode: backpressure, max_size: 5GB }"],
            "The durable queue on disk, for `on_backpressure: queue`."),
        field("dead_letters", \.deadLetters, "Where events go that the receiver refuses for good."),
        field("batch", \.batch, "How events are gathered into one send. Default: as the destination's type says."),
    ]

    package func mistakes() -> [SettingMistake] {
        guard queue != nil && onBackpressure != .queue else { return [] }
        return [
            SettingMistake(
                "queue", "`queue` is set but never used, because `on_backpressure` is `\(onBackpressure.rawValue)`",
                help: "write `on_backpressure: queue`, or take `queue` out")
        ]
    }

    /// The settings of the queue when there is one: `on_backpressure: queue` without `queue` has its defaults.
    package var queueInUse: DiskQueueSettings? { onBackpressure == .queue ? queue ?? DiskQueueSettings() : nil }

    /// The destination's shape with what the operator set for it.
    package func shape(over shape: DeliveryShape) -> DeliveryShape {
        var result = shape
        if let concurrency { result.concurrency = concurrency }
        if let timeout { result.timeout = timeout }
        if let size = batch.maxSize { result.bytesMost = size.asInt }
        if let events = batch.maxEvents { result.eventsMost = events }
        if let linger = batch.linger { result.linger = linger }
        result.concurrency = max(1, result.concurrency)
        result.bytesMost = max(1, result.bytesMost)
        result.eventsMost = max(1, result.eventsMost)
        return result
    }
}

/// How long to wait between attempts: doubling from `first` to `most`, with jitter.
package struct RetrySettings: Settings {
    package var first = Duration.seconds(2)
    package var most = Duration.seconds(60)

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "first", \.first, range: .milliseconds(10)...(.hours(1)), "The longest first wait; each failure doubles it."
        ),
        field("most", \.most, range: .milliseconds(10)...(.hours(24)), "The longest wait."),
    ]

    package func mistakes() -> [SettingMistake] {
        most < first
            ? [SettingMistake("most", "`most` is shorter than `first`", help: "make it at least \(first.exactText)")]
            : []
    }
}

/// Where events go that the receiver refuses for good.
package struct DeadLetterSettings: Settings {
    package enum OnFull: String, SettingChoice {
        case block
        case dropNewest = "drop_newest"
        case dropOldest = "drop_oldest"
        package var help: String {
            switch self {
            case .block: "The destination waits until they can be written, also where the disk fails."
            case .dropNewest: "The refused event is dropped and counted."
            case .dropOldest: "The oldest dead letters make room, counted."
            }
        }
    }
    package var maxSize = ByteCount.gigabytes(1)
    package var minFree: ByteCount?
    package var onFull = OnFull.dropOldest

    package init() {}

    package static let fields: [Field<Self>] = [
        field("max_size", \.maxSize, range: .mebibytes(1)..., "Bytes of dead letters kept for this destination."),
        field("min_free", \.minFree, examples: ["1GB", "0"], DiskQueueSettings.minFreeHelp),
        field("on_full", \.onFull, "What happens when they are full."),
    ]
}

/// How events are gathered into one send.
package struct BatchSettings: Settings {
    package var maxSize: ByteCount?
    package var maxEvents: Int?
    package var linger: Duration?

    package init() {}

    package static let fields: [Field<Self>] = [
        field("max_size", \.maxSize, range: .kibibytes(1)...(.mebibytes(512)), "Largest send, in bytes of events."),
        field("max_events", \.maxEvents, range: 1...10_000_000, "Largest send, in events."),
        field(
            "linger", \.linger, range: .zero...(.minutes(1)),
            """
            How long a small batch may wait for more events while another send is in flight. With nothing in flight \
            it goes \
            at once.
            """),
    ]
}
