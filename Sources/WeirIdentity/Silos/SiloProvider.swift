/// A connected system as the engine knows it: what can be read in bulk, read one by one, and written.
///
/// A provider never decides whether a change may be made; whoever calls `write` has the right to. It holds its own
/// connections, obeys its own receiver's capacity (a write waits while there is no room) and is safe to call from many
/// tasks.
package protocol SiloProvider: Sendable {
    var abilities: SiloAbilities { get }

    /// Reads all objects of a type, or those that changed since a mark, and hands them over batch by batch; the next
    /// batch is read when `take` has returned.
    /// - Returns: how it ended, with the mark for the next delta.
    /// - Throws: `ScanFailure` when the silo could not be read to its end: nothing may be concluded from what is
    ///   missing.
    func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd

    /// The object as it is now, or nil where it certainly is not there.
    func read(_ kind: ObjectKind, anchor: String?, name: String) async throws(ScanFailure) -> SiloObject?

    /// Carries a change out and verifies it. Safe to repeat: a change that is already so answers `alreadySo`.
    func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer

    /// What is known of the kind's attributes before anything was read.
    func schema(of kind: ObjectKind) async -> ObjectSchema

    /// What a scan of the kind reads, in words that change when that changes (base, filter, table, attributes). Another
    /// text means that objects may be missing because nobody asked for them: a preview comes before the next commit.
    func scope(of kind: ObjectKind) -> String

    func close() async
}

extension SiloProvider {
    package func schema(of kind: ObjectKind) async -> ObjectSchema { ObjectSchema() }
    package func scope(of kind: ObjectKind) -> String { "" }
    package func close() async {}

    /// Hands a batch over; what the taker says against it ends the scan.
    func hand(over batch: RecordBatch, _ take: (RecordBatch) async throws -> Void) async throws(ScanFailure) {
        do {
            try await take(batch)
        } catch let failure as ScanFailure {
            throw failure
        } catch is CancellationError {
            throw ScanFailure(code: "cancelled", text: "the scan was called off", isPassing: true)
        } catch {
            throw ScanFailure(code: "not_taken", text: "what was read is not taken: \(error)", isPassing: true)
        }
    }
}

package struct SiloAbilities: Sendable {
    /// A scan for changes only is possible.
    package var delta: Bool
    /// A delta scan tells of deleted objects; where false only a full scan finds them.
    package var deltaDeletes: Bool
    package var writes: Bool

    package init(delta: Bool, deltaDeletes: Bool = false, writes: Bool) {
        self.delta = delta
        self.deltaDeletes = deltaDeletes
        self.writes = writes
    }
}

package struct ScanRequest: Sendable {
    package var kind: ObjectKind
    /// Nil for a full scan; else the mark that the last scan answered.
    package var since: String?

    package init(kind: ObjectKind, since: String? = nil) {
        self.kind = kind
        self.since = since
    }
}

package struct ScanEnd: Sendable, Equatable {
    /// For the next delta scan; nil where there is none.
    package var mark: String?
    /// Anchors that a delta scan was told are deleted.
    package var gone: [String]
    /// Rows that could not be read, with where and why; the scan is then not complete. At most 1,000 are kept.
    package var refused: [RefusedRow]

    package init(mark: String? = nil, gone: [String] = [], refused: [RefusedRow] = []) {
        self.mark = mark
        self.gone = gone
        self.refused = refused
    }
}

package struct RefusedRow: Sendable, Equatable, Codable {
    /// `hr.csv:17`, a DN.
    package var place: String
    package var reason: String

    package init(place: String, reason: String) {
        self.place = place
        self.reason = reason
    }
}

package struct ScanFailure: Error, Sendable, Equatable {
    /// For machines: `connect_refused`, `size_limit`, `referral`, `bad_csv`, `timeout`, …
    package var code: String
    /// For people: what, where, why and what to do.
    package var text: String
    /// Whether the same scan may succeed later without anybody doing anything.
    package var isPassing: Bool

    package init(code: String, text: String, isPassing: Bool) {
        self.code = code
        self.text = text
        self.isPassing = isPassing
    }
}

/// What came of a write.
package enum WriteAnswer: Sendable, Equatable {
    /// Written and seen. `anchor` of what was created.
    case written(anchor: String?)
    /// Nothing to do: the silo already is as the change wants it. Seen, not assumed.
    case alreadySo(anchor: String?)
    /// Not written, and would not be by trying again: the target refuses it.
    case refused(code: String, text: String)
    /// Not written; may be tried again (busy, unavailable, connection lost before it was sent).
    case failed(code: String, text: String)
    /// Nobody knows: the answer did not come and the target could not be read. Settled by reading it later.
    case unknown(code: String, text: String)
}
