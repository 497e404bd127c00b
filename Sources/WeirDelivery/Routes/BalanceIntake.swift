import Synchronization
package import WeirFlow
package import WeirWorld

/// Spreads events over its members by weight and load (`type: balance`). A member whose gate is held leaves until it is
/// not.
///
/// When all are held, the sender waits at the least loaded.
package final class BalanceIntake: ChoosingIntake {
    package let name: String
    package let members: [any GaugedIntake]
    package let time: any TimeSource
    private let state: Mutex<(balancer: Balancer, sent: [UInt64])>

    package init(name: String, members: [(intake: any GaugedIntake, weight: Int)], time: any TimeSource) {
        precondition(!members.isEmpty, "the balancer \(name) has no members")
        self.name = name
        self.members = members.map(\.intake)
        self.time = time
        var balancer = Balancer()
        balancer.set(members.enumerated().map { ($0.offset, $0.element.weight) })
        state = Mutex((balancer, Array(repeating: 0, count: members.count)))
    }

    /// Events given to each member.
    package var sentEvents: [UInt64] { state.withLock { $0.sent } }

    package func choose(among mayBeChosen: (Int) -> Bool) -> Int? {
        // Asked before the lock is taken: a member may be a balancer too.
        let ready = members.indices.map(mayBeChosen)
        let now = time.now
        return state.withLock { $0.balancer.choose(at: now) { ready[$0] ? .ready : .away } }
    }

    package func gave(_ batch: Batch, to place: Int) {
        state.withLock { state in
            state.balancer.sent(batch.byteCount, to: place)
            state.sent[place] &+= UInt64(batch.count)
        }
    }
}
