package import WeirGates
package import WeirSettings

/// The durable queue of one destination.
package struct DiskQueueSettings: Settings {
    /// When the queue engages.
    package enum Mode: String, SettingChoice {
        case error, backpressure, always, smart
        package var help: String {
            switch self {
            case .error: "When the destination is unreachable or failing."
            case .backpressure: "As `error`, and when the gate has been held for `after`."
            case .always: "Every event is written first."
            case .smart: "When the memory buffer is 90 % full; back to memory below 70 % once the disk is empty."
            }
        }
    }

    package enum Compression: String, SettingChoice {
        case none, lz4, zstd
    }

    package enum OnFull: String, SettingChoice {
        case block
        case dropNewest = "drop_newest"
        case dropOldest = "drop_oldest"
        package var help: String {
            switch self {
            case .block: "The senders wait until there is room."
            case .dropNewest: "What comes in is dropped and counted."
            case .dropOldest: "The oldest events make room, dropped and counted."
            }
        }
    }

    package var mode = Mode.backpressure
    package var maxSize = ByteCount.gigabytes(5)
    package var segmentSize = ByteCount.megabytes(64)
    package var minFree: ByteCount?
    package var compress = Compression.none
    package var onFull = OnFull.block
    package var strictOrdering = true
    package var drainRate: Int?
    package var durability = DurabilitySetting.commit
    package var after = Duration.seconds(30)

    package init() {}

    package static let fields: [Field<Self>] = [
        field("mode", \.mode, "When events go to disk."),
        field("max_size", \.maxSize, range: .mebibytes(1)..., "The most that the queue may hold on disk."),
        field(
            "segment_size", \.segmentSize, range: .kibibytes(64)...(.gibibytes(1)),
            "Size of one file; a file is deleted when all in it is delivered. Never more than a quarter of "
                + "`max_size`."),
        field("min_free", \.minFree, examples: ["1GB", "0"], DiskQueueSettings.minFreeHelp),
        field("compress", \.compress, "How records are compressed on disk."),
        field("on_full", \.onFull, "What happens when `max_size` is reached or the disk is full."),
        field(
            "strict_ordering", \.strictOrdering,
            "True: new events go behind those on disk. False: new events go first, the backlog follows at `drain_rate`."
        ),
        field(
            "drain_rate", \.drainRate, range: 1..., examples: ["10000"],
            "Events a second from the backlog, at most. Unlimited when absent."),
        field(
            "durability", \.durability, examples: ["commit", "100ms", "memory"],
            """
            When an event counts as safe: `commit` (synced to disk), a duration such as `100ms` (synced that often; \
            so much \
            may be lost in a power cut), `memory` (the operating system has it).
            """),
        field(
            "after", \.after, range: .zero...(.hours(24)),
            "How long the gate must be held before mode `backpressure` engages."),
    ]

    static let minFreeHelp = """
        What stays free on the file system for everything else on the machine: below it the disk counts as full. \
        Default: a hundredth of the file system, at least 16MiB and at most 1GiB.
        """

    /// The queue frees whole segments, so one is never more than a quarter of it.
    package var segmentSizeInUse: ByteCount { min(segmentSize, ByteCount(max(65_536, maxSize.bytes / 4))) }
}

/// `commit`, `memory`, or how often to sync: `100ms`.
package enum DurabilitySetting: Sendable, Hashable {
    case commit, memory
    case interval(Duration)
}

extension DurabilitySetting: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> DurabilitySetting? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "`commit`, `memory` or a duration", help: "write `commit`")
            return nil
        }
        switch scalar.text {
        case "commit": return .commit
        case "memory": return .memory
        case "interval": return .interval(.milliseconds(100))
        default: break
        }
        guard let interval = try? Duration(text: scalar.text), interval > .zero, interval <= .minutes(1) else {
            reading.problem(
                "\(reading.subject) must be `commit`, `memory` or a duration of at most 1m, not \(node.found)",
                at: node.origin, help: "write `commit`")
            return nil
        }
        return .interval(interval)
    }

    package static var shape: SettingShape { .text }

    package var plain: PlainValue {
        switch self {
        case .commit: .text("commit")
        case .memory: .text("memory")
        case .interval(let duration): .text(duration.exactText)
        }
    }
}
