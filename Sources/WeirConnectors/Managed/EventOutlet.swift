package import NIOCore
import WeirGates
import WeirWorld

/// Where the events of one run go: gathered into pushes of some size, each durable before the next is taken. While the
/// connector's gate holds a push, whoever writes waits.
package actor EventOutlet {
    /// Bytes that are pushed together.
    static let pushBytes = 256 << 10

    private let id: ConnectorID
    private let means: ManagedMeans
    private let reason: RunReason
    private var lines = ByteBuffer()
    private var work: WorkID?
    package private(set) var count = 0
    package private(set) var bytes = 0

    package init(_ id: ConnectorID, _ means: ManagedMeans, reason: RunReason) {
        self.id = id
        self.means = means
        self.reason = reason
    }

    /// Takes whole lines, each a JSON value with a line feed.
    package func write(_ events: ByteBuffer, count: Int) async throws(ConnectorFailure) {
        if count == 0 { return }
        self.count += count
        bytes += events.readableBytes
        lines.writeImmutableBuffer(events)
        if lines.readableBytes >= Self.pushBytes { try await flush() }
    }

    private func flush() async throws(ConnectorFailure) {
        guard lines.readableBytes > 0 else { return }
        let push = try await takePush()
        try await means.platform.push(push, deadline: nil)
    }

    private func takePush() async throws(ConnectorFailure) -> BundlePush {
        let taken = lines
        lines = ByteBuffer()
        // A run that brings nothing leaves no work behind.
        if work == nil { work = try await means.platform.addWork(id, name: name, isMultipart: true).id }
        return BundlePush(BundleHead(connector: id, work: work, encoding: .events), bytes: taken)
    }

    private var name: String { "\(id) @ \(means.world.time.wall) (\(reason.rawValue))" }

    /// The run ended well: what is left goes out, and in the same record the state, the schedule and the end of its
    /// work.
    func finish(state: String?, _ schedule: ScheduleMemory) async throws(ConnectorFailure) {
        let last = lines.readableBytes > 0 ? try await takePush() : nil
        let end = RunEnd(
            state: state, schedule: schedule, work: work,
            message: work == nil ? nil : "\(count) \(count == 1 ? "event" : "events"), \(bytes) bytes")
        try await means.platform.finishRun(id, end, last: last, deadline: nil)
    }

    /// The run failed: what was pushed stays, what was not is let go, and the state is the old one.
    func abandon(_ error: any Error) async {
        lines = ByteBuffer()
        guard let work else { return }
        let text = error is CancellationError ? "The run was stopped." : "\(error)".clipped(to: 500)
        try? await means.platform.processed(work, message: text, isError: true)
    }
}
