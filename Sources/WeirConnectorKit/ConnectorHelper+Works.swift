internal import Synchronization
internal import WeirWorld

/// What one run must still deliver, as the platform counts it.
public struct Work: Sendable, Hashable {
    /// As the platform calls it.
    public let id: String
    /// For people.
    public let name: String
}

extension ConnectorHelper {
    /// Opens a work: what is sent with it is counted, and shown with its progress. Close it with `toProcessed`; what a
    /// run leaves open is closed at its end.
    /// - Parameters:
    ///   - name: for people, such as `KEV 2026.11.21`.
    ///   - isMultipart: more than one bundle will come.
    /// - Throws: `PlatformFailure`; `CancellationError`.
    public func initiateWork(_ name: String, isMultipart: Bool = false) async throws -> Work {
        let id = configuration.id
        let work = try await patience.insist("open a work") { () async throws(PlatformFailure) in
            Work(id: try await platform.addWork(id, name: name, isMultipart: isMultipart), name: name)
        }
        memory.withLock { $0.works.append(work) }
        return work
    }

    /// Closes a work: everything that belongs to it was sent.
    /// - Parameters:
    ///   - message: for people.
    ///   - inError: the run failed.
    /// - Throws: `PlatformFailure`; `CancellationError`.
    public func toProcessed(_ work: Work, message: String, inError: Bool = false) async throws {
        try await patience.insist("close a work") { () async throws(PlatformFailure) in
            try await platform.processed(work.id, message: message, isError: inError)
        }
        memory.withLock { $0.works.removeAll { $0 == work } }
    }

    /// Closes what a run left open: a work that nobody closes stays in progress for ever.
    func closeWorks(_ message: String, inError: Bool, limit: Duration = Platform.shortLimit) async {
        let open = memory.withLock { memory in
            defer { memory.works = [] }
            return memory.works
        }
        for work in open {
            do throws(PlatformFailure) {
                try await platform.processed(work.id, message: message, isError: inError, limit: limit)
            } catch {
                log.warning("A work could not be closed.", ["work": .string(work.id), "reason": .string("\(error)")])
            }
        }
    }
}
