internal import Synchronization
internal import WeirWorld

/// What was counted at one hub about its mesh.
package struct MeshFigures: Sendable {
    /// What became of an open that went to another hub, or came from one.
    package enum Result: String, Sendable, Hashable, CaseIterable {
        case opened
        /// The target or the agent said no, or nothing.
        case refused
        /// Another epoch than the owner's.
        case stale
        /// No link to the owner, or it broke on the way.
        case noLink = "no_link"
    }

    package enum Direction: String, Sendable, Hashable, CaseIterable {
        case out, `in`
    }

    /// What the registry says of an agent, beside what is true here: looked at with each client, in `shadow` and
    /// `active`.
    package enum Comparison: String, Sendable, Hashable, CaseIterable {
        /// The agent is here and the registry says so.
        case same
        /// The agent is here, and the registry has it elsewhere.
        case elsewhere
        /// The agent is here, and the registry has it nowhere, or does not answer.
        case unowned
        /// No agent is here; the registry has one elsewhere: `active` forwards, `shadow` would.
        case remote
        /// No agent is here or elsewhere.
        case nobody
    }

    package var forwards: [Direction: [Result: UInt64]] = [:]
    package var comparisons: [Comparison: UInt64] = [:]
    package var beats: UInt64 = 0
    package var beatsFailed: UInt64 = 0
    /// Agents that came to belong to another hub while they had a link here.
    package var lost: UInt64 = 0
    /// Links to other hubs that ended, by hub and reason.
    package var ends: [String: [String: UInt64]] = [:]
    package var bytes: UInt64 = 0

    package init() {}

    /// Carried between a link of the mesh and an agent's, in both directions.
    final class Bytes: Sendable {
        private let count = Atomic<UInt64>(0)
        var value: UInt64 { count.load(ordering: .relaxed) }
        func add(_ amount: Int) { count.add(UInt64(clamping: amount), ordering: .relaxed) }
    }
}
