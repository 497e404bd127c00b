internal import NIOCore
import Synchronization
internal import WeirWorld

/// One request on its way through the door.
struct DoorRequest: Sendable {
    /// Until when a push may be held; then it is taken although its gate is closed.
    var deadline: Moment
    /// The bundle that has gone to the platform already, where the request was too long to be gathered.
    var streamed: StreamedBundle?
    /// What the platform said to the ping that the request is, where it was known by its bytes.
    var pinged: Result<ConnectorRecord?, ConnectorFailure>?
}

/// A bundle whose bytes went to the platform while its request was still coming in. What follows them in the request
/// decides whether it counts.
final class StreamedBundle: Sendable {
    let connector: ConnectorID
    private let reception: any BundleReception
    private let isSettled = Mutex(false)

    init(connector: ConnectorID, reception: any BundleReception) {
        self.connector = connector
        self.reception = reception
    }

    private func settle() -> Bool {
        isSettled.withLock { settled in
            defer { settled = true }
            return !settled
        }
    }

    func write(_ bytes: ByteBuffer) async throws(ConnectorFailure) { try await reception.write(bytes) }

    func finish(work: WorkID?) async throws(ConnectorFailure) {
        guard settle() else { throw ConnectorFailure(.invalid, "A request can push its bundle only once.") }
        try await reception.finish(work: work)
    }

    /// Forgets it, unless it was finished.
    func abandon() async { if settle() { await reception.abandon() } }
}
