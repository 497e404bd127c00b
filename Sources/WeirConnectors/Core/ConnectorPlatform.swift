package import NIOCore
package import WeirWorld

/// What Weir is to a connector, whatever it speaks: the OpenCTI door (GraphQL, AMQP), a managed connector and the kit
/// all come in here. One implementation, `Connectors`; tests put a recording one in its place.
///
/// Every answer is given after what it promises is durable.
package protocol ConnectorPlatform: Sendable {
    /// Makes or renews a registration; keeps state, works and queue of an earlier one.
    func register(_ registration: ConnectorRegistration) async throws(ConnectorFailure) -> ConnectorRecord

    /// A sign of life with what the connector knows of itself. The answer's `state` is the one that is valid now: what
    /// was sent, byte for byte, unless a person has reset it, or `registration` is unknown (`nil`).
    func ping(
        _ id: ConnectorID, state: String?, report: ConnectorReport
    ) async throws(ConnectorFailure) -> ConnectorRecord?

    /// The same ping once more: a look into memory, where nothing has changed since.
    /// - Returns: false where it did nothing, because something has: then `ping` is to be asked.
    func pingAgain(_ id: ConnectorID, state: String, report: ConnectorReport) -> Bool

    func connector(_ id: ConnectorID) async -> ConnectorRecord?
    func connectors() async -> [ConnectorRecord]

    /// What waits for the receivers of this connector, counted now; `nil` when it cannot be known, which counts as
    /// full.
    func queueLevel(_ id: ConnectorID) async -> WorkQueueLevel?

    func addWork(_ id: ConnectorID, name: String, isMultipart: Bool) async throws(ConnectorFailure) -> Work
    func expect(_ work: WorkID, _ count: Int) async throws(ConnectorFailure)
    func received(_ work: WorkID, message: String?) async throws(ConnectorFailure)
    func processed(_ work: WorkID, message: String?, isError: Bool) async throws(ConnectorFailure)
    func work(_ id: WorkID) async -> Work?
    /// The newest first.
    func works(of id: ConnectorID?, most: Int) async -> [Work]
    func deleteWork(_ id: WorkID) async throws(ConnectorFailure)

    /// Takes a bundle; suspends while the connector's gate holds it back; returns when it is durable.
    /// - Parameter deadline: then it is taken although the gate is still closed, because this sender would take a
    ///   refusal for a loss (a client of OpenCTI's API dies of one); `nil` waits for as long as it takes.
    func push(_ bundle: BundlePush, deadline: Moment?) async throws(ConnectorFailure)

    /// Takes a bundle whose bytes are still coming, for those that do not fit into memory. The gate is asked here, as
    /// in `push`.
    func beginPush(_ head: BundleHead, deadline: Moment?) async throws(ConnectorFailure) -> any BundleReception

    func remove(_ id: ConnectorID) async throws(ConnectorFailure)
    /// Forgets the connector's state; reaches its process with the next ping, once.
    func resetState(_ id: ConnectorID) async throws(ConnectorFailure)
}

extension ConnectorPlatform {
    /// Where nothing is remembered of pings.
    package func pingAgain(_ id: ConnectorID, state: String, report: ConnectorReport) -> Bool { false }
}

/// Bytes of one bundle on their way to disk. Either `finish` or `abandon` is called, once.
package protocol BundleReception: Sendable {
    /// Returns when there is room for more.
    func write(_ bytes: ByteBuffer) async throws(ConnectorFailure)
    /// Returns when the bundle is durable.
    /// - Parameter work: the work it belongs to, where the sender names it after the bytes, as pycti does; `nil` leaves
    ///   what the head says.
    func finish(work: WorkID?) async throws(ConnectorFailure)
    func abandon() async
}

extension BundleReception {
    package func finish() async throws(ConnectorFailure) { try await finish(work: nil) }
}

/// A connector's name for itself: any text of 1 to 256 bytes without control characters; mostly a UUID.
package typealias ConnectorID = String
/// Opaque to connectors. `work_<connector>_<time>`, as OpenCTI writes it.
package typealias WorkID = String

package struct ConnectorFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, Hashable {
        case unknownConnector = "unknown_connector"
        case unknownWork = "unknown_work"
        case invalid = "invalid"
        /// There is no room and none will come (a quota that only a person can lift); gates hold, they do not refuse.
        case held
        case storage
        case stopped
    }
    package var code: Code
    /// What, where, why and what to do, for people.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
