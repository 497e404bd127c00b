internal import FoundationEssentials
internal import Logging
internal import Synchronization
package import WeirWorld

/// Writes records of connections as NDJSON, a file a day: `tunnel-audit-2026-11-21.ndjson`. Records are gathered for
/// 200 ms at the most and written by a thread of its own, so that no connection waits for a disk.
///
/// What does not fit while the disk is slow or full is counted as lost, and the log says so once a minute.
package final class AuditFile: ConnectionAuditor {
    /// Records in memory that are not written yet.
    package static let waitingMost = 65_536
    private static let gatherFor = Duration.milliseconds(200)

    private struct State {
        var waiting: [ConnectionRecord] = []
        var lost: UInt64 = 0
        var told: Moment?
    }

    private let directory: String
    private let world: World
    private let lane: any BlockingLane
    private let state = Mutex(State())

    package init(directory: String, world: World) {
        self.directory = directory
        self.world = world
        lane = world.blocking.lane("tunnel-audit")
    }

    /// Records that could not be kept.
    package var lost: UInt64 { state.withLock { $0.lost } }

    package func record(_ record: ConnectionRecord) {
        state.withLock { state in
            if state.waiting.count < Self.waitingMost { state.waiting.append(record) } else { state.lost += 1 }
        }
    }

    /// Writes until the task is cancelled, and then what is left.
    package func run() async {
        while !Task.isCancelled {
            _ = try? await world.time.sleep(for: Self.gatherFor)
            await write()
        }
        await write()
        lane.close()
    }

    private func write() async {
        let records = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        guard !records.isEmpty else { return }
        let (directory, files) = (directory, world.files)
        do {
            try await lane.run { try Self.append(records, in: directory, files) }
        } catch {
            let now = world.time.now
            let mustTell = state.withLock { state in
                state.lost += UInt64(records.count)
                guard state.told.map({ now - $0 > .seconds(60) }) ?? true else { return false }
                state.told = now
                return true
            }
            guard mustTell else { return }
            world.log.error(
                "Records of connections could not be kept.",
                metadata: ["records": "\(records.count)", "directory": "\(directory)", "detail": "\(error)"])
        }
    }

    private static func append(
        _ records: [ConnectionRecord], in directory: String, _ files: any FileSystem
    ) throws {
        try files.makeDirectory(directory)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        var days: [String: [UInt8]] = [:]
        for record in records {
            let day = String(record.time.description.prefix(10))
            days[day, default: []] += [UInt8](try encoder.encode(AuditLine(record))) + [UInt8(ascii: "\n")]
        }
        for (day, bytes) in days {
            let path = "\(directory)/tunnel-audit-\(day).ndjson"
            let end = try files.status(path)?.length ?? 0
            let file = try files.open(path, .write(create: true, exclusive: false))
            defer { file.close() }
            try bytes.withUnsafeBytes { try file.write([$0], at: end) }
        }
    }
}

/// A record as it stands in the file; absent is what is not known.
struct AuditLine: Encodable {
    var at: String
    /// `open`, `refused` or `close`.
    var event: String
    var connection: UInt64
    var hub: String
    var listener: String
    var connector: String
    var client: String?
    var agent: String?
    /// The hub that has the agent, when it is another one.
    var through: String?
    var result: String
    var reason: String?
    var decision: String?
    var end: String?
    var endedBy: String?
    var bytesToTarget: Int64?
    var bytesToClient: Int64?
    var seconds: Double?

    init(_ record: ConnectionRecord) {
        at = record.time.description
        event = record.end != nil ? "close" : record.result == .opened ? "open" : "refused"
        connection = record.id
        hub = record.hub
        listener = record.listener
        connector = record.connector
        client = record.client?.description
        agent = record.agent
        through = record.through
        result = record.result.rawValue
        reason = record.reason
        decision = record.decision
        guard let end = record.end else { return }
        self.end = end.reason
        endedBy = end.by
        bytesToTarget = end.toTarget
        bytesToClient = end.toClient
        seconds = Double(end.duration.nanoseconds) / 1e9
    }
}
