import NIOCore
import Synchronization
package import WeirFlow
package import WeirGates
package import WeirSettings
import WeirWorld

/// When the bytes of a batch count as safe.
package enum FileDurability: String, SettingChoice, Sendable {
    case commit, interval, memory

    package var help: String {
        switch self {
        case .commit:
            "A batch is delivered when it is synced to the disk. Nothing acknowledged is lost, whatever stops."
        case .interval:
            "A batch is delivered when it is written; files are synced every second. A power cut loses the last second."
        case .memory:
            "Files are never synced: a crash of Weir loses nothing, a power cut what the system had not yet written."
        }
    }
}

/// Files in a directory tree: written in a staging directory, moved to the output directory in one step when they are
/// full, old or idle, so that whoever reads the output sees whole files only.
///
/// Holds back when the disk is full, read-only or forbidden, for staging and output alike, and goes on by itself.
/// Delivered means that the batch is in a file of the staging directory and, with `durability: commit` (the default),
/// synced; a crash leaves it there, and the next start finishes it. A batch whose write failed is cut out of the file
/// again and comes back whole. Source: seeds/2, Filesystem-Based Destinations; research/destinations.md 1.3.
package final class FilesystemDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "filesystem"
        package static let summary = "Files in a directory tree, moved into place when they are whole."

        package var path = ""
        package var staging = ""
        package var partition: ExpressionText = ""
        package var fileName = "events"
        package var fileExtension = ""
        package var format = LineFormat.lines
        package var compress = FileCompression.none
        package var maxSize = ByteCount.megabytes(256)
        package var maxAge = Duration.seconds(300)
        package var maxIdle = Duration.seconds(30)
        package var maxOpenFiles = 100
        package var durability = FileDurability.commit
        package var flush = Duration.milliseconds(50)

        package init() {}

        package static let fields: [Field<Self>] = [
            field("path", \.path, required: true, examples: ["./archive"], "Output directory; made when missing."),
            field(
                "staging", \.staging,
                "Where files are written first; on the same file system. Default: `.staging/NAME` in `path`."
            ),
            field(
                "partition", \.partition, examples: ["\"strftime(event.time, '%Y/%m/%d')\""],
                "Expression that gives the directory for an event. Unsafe characters become %XX: none can leave `path`."
            ),
            field(
                "file_name", \.fileName, check: { $0.isEmpty ? "must not be empty" : FileNaming.isPart($0) },
                "Beginning of file names; time and a random number follow."),
            field(
                "extension", \.fileExtension, check: FileNaming.isPart,
                "Instead of `log` or `ndjson`, without the dot; `.gz` or `.zst` follows."),
            field("format", \.format, "How events become lines."),
            field("compress", \.compress, "How files are packed."),
            field(
                "max_size", \.maxSize, range: .kilobytes(1)...(.gigabytes(100)),
                "A file is finished with so many bytes of events."),
            field(
                "max_age", \.maxAge, range: .seconds(1)...(.seconds(86_400)),
                "A file is finished so long after its first event."),
            field(
                "max_idle", \.maxIdle, range: .seconds(1)...(.seconds(86_400)),
                "A file is finished so long after its last event."),
            field(
                "max_open_files", \.maxOpenFiles, range: 1...10_000,
                "With more partitions at once the longest idle file is finished."),
            field("durability", \.durability, "When a batch counts as safe."),
            field(
                "flush", \.flush, range: .zero...(.seconds(60)),
                "How long to wait for more events before a batch is written and synced."),
        ]

        package func mistakes() -> [SettingMistake] {
            staging == path && !path.isEmpty
                ? [
                    SettingMistake(
                        "staging", "`staging` and `path` must differ",
                        help: "leave `staging` out, or name another directory")
                ] : []
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let partition = self.partition.isEmpty ? nil : EventText.compile(self.partition, &planning)
            if planning.hasErrors { return nil }
            let own = PartitionPath(planning.name).components.joined(separator: "%2F")
            let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
            let rules = FileWriter.Rules(
                output: root, staging: staging.isEmpty ? root + "/.staging/" + own : staging,
                naming: FileNaming(base: fileName, format: format, extension: fileExtension, compression: compress),
                compression: compress, durability: durability, sizeMost: maxSize.bytes, ageMost: maxAge,
                idleMost: maxIdle,
                filesMost: maxOpenFiles)
            let means = planning.means
            let format = format
            let endpoint = EndpointPlan(name: root) { _ in
                FilesystemDestination(rules: rules, format: format, partition: partition, means: means)
            }
            // One writer and batches worth a sync, but no more than a quarter of the usual buffer: while one is written
            // the senders fill the next.
            let shape = DeliveryShape(
                bytesMost: 2 << 20, linger: flush, concurrency: 1, isOrdered: true, timeout: .seconds(120),
                joinsContexts: partition == nil)
            return .receiver(DestinationPlan(shape: shape, endpoints: [endpoint]))
        }
    }

    private let writer: FileWriter
    private let parts: BatchParts
    private let eventLoops: any EventLoopGroup
    private let lane: any BlockingLane
    private let ticker = Mutex<RepeatedTask?>(nil)

    init(rules: FileWriter.Rules, format: LineFormat, partition: EventText?, means: DestinationMeans) {
        writer = FileWriter(rules: rules, world: means.world)
        parts = BatchParts(format: format, partition: partition)
        eventLoops = means.eventLoops
        lane = means.world.blocking.lane("files")
    }

    deinit {
        ticker.withLock { $0?.cancel() }
        lane.close()
    }

    package func open() async throws(DeliveryFailure) {
        try await onLane { (writer) throws(OutputFailure) in
            // After `not_found`: whatever was open is no longer there.
            try writer.beginAgain()
        }
        tickEverySecond()
    }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let parts = parts
        return try await onLane { (writer) throws(OutputFailure) in
            let (lines, failed) = parts.cut(batches)
            let refused = try writer.write(lines)
            return DeliveryReport(rejected: (failed + refused).sorted { $0.index < $1.index })
        }
    }

    package func close() async {
        ticker.withLock { ticker in
            ticker?.cancel()
            ticker = nil
        }
        _ = try? await lane.run { [writer] in writer.end() }
    }

    // Not cancelled in the middle: a write that has begun ends, and the batch is then taken or cut out.
    private func onLane<Value: Sendable>(
        _ body: @escaping @Sendable (FileWriter) throws(OutputFailure) -> Value
    ) async throws(DeliveryFailure) -> Value {
        do {
            return try await lane.run { [writer] in try body(writer) }
        } catch let error as OutputFailure {
            throw error.delivery
        } catch {
            throw .cancelled
        }
    }

    // The lane is another thread: a tick waits behind a write, never in the way of the event loop.
    private func tickEverySecond() {
        ticker.withLock { ticker in
            guard ticker == nil else { return }
            ticker = eventLoops.next().scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) {
                [lane, writer] _ in lane.enqueue { writer.tick() }
            }
        }
    }
}
