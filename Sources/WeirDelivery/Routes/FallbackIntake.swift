import Synchronization
package import WeirFlow
package import WeirWorld

/// Sends to the first member whose gate is not held, and to the next ones only while it is (`type: fallback`).
///
/// When all are held, the sender waits at the first.
package final class FallbackIntake: ChoosingIntake {
    package let name: String
    package let members: [any GaugedIntake]
    package let time: any TimeSource
    private let sent: Mutex<[UInt64]>

    package init(name: String, members: [any GaugedIntake], time: any TimeSource) {
        precondition(!members.isEmpty, "the fallback \(name) has no members")
        self.name = name
        self.members = members
        self.time = time
        sent = Mutex(Array(repeating: 0, count: members.count))
    }

    /// Events given to each member.
    package var sentEvents: [UInt64] { sent.withLock { $0 } }

    package func choose(among mayBeChosen: (Int) -> Bool) -> Int? { members.indices.first(where: mayBeChosen) }

    package func gave(_ batch: Batch, to place: Int) { sent.withLock { $0[place] &+= UInt64(batch.count) } }
}
