import WeirWorld

/// Fetches what is new, once. Two real ones: `http` and `exec`.
package protocol ManagedImporter: Sendable {
    /// - Parameter state: the connector's own text, as the last good run left it.
    /// - Returns: its text from now on; `nil` leaves it as it is.
    /// - Throws: `RunFailure`, or `CancellationError` when it was stopped.
    func run(state: String?, into outlet: EventOutlet) async throws -> String?
}

/// One run of a managed connector: its importer brings events, and the last of them travel with the new state and the
/// times of the schedule in one record.
package struct ManagedRun: ConnectorRun {
    private let id: ConnectorID
    private let importer: any ManagedImporter
    private let means: ManagedMeans

    package init(_ id: ConnectorID, _ importer: any ManagedImporter, _ means: ManagedMeans) {
        self.id = id
        self.importer = importer
        self.means = means
    }

    package func run(_ occasion: RunOccasion) async throws -> ScheduleMemory {
        let state = await means.platform.connector(id)?.state
        let outlet = EventOutlet(id, means, reason: occasion.start.reason)
        do {
            let next = try await importer.run(state: state, into: outlet)
            let memory = occasion.memoryNow()
            try await outlet.finish(state: next, memory)
            return memory
        } catch {
            await outlet.abandon(error)
            // What the platform says is as clear as what an importer says.
            if let failure = error as? ConnectorFailure { throw RunFailure(failure.code.rawValue, failure.message) }
            throw error
        }
    }
}
