import Synchronization
package import WeirFlow
import WeirGates
package import WeirWorld

/// An intake that can say whether it would take something now. The composed destinations choose by it.
package protocol GaugedIntake: Intake {
    /// False while its gate is held, whatever the reason.
    var isPassable: Bool { get }
    /// True where a batch of so many bytes would be taken at once.
    func hasRoom(for bytes: Int) -> Bool
}

extension DeliveryChain: GaugedIntake {
    package var isPassable: Bool { !gateState.isHeld }
}

/// Sends to the first member whose gate is not held, and to the next ones only while it is (`type: fallback`).
///
/// When all are held, the sender waits at the first.
package final class FallbackIntake: GaugedIntake {
    package let name: String
    package let members: [any GaugedIntake]
    private let counts: [CountBox]

    package init(name: String, members: [any GaugedIntake]) {
        precondition(!members.isEmpty, "the fallback \(name) has no members")
        self.name = name
        self.members = members
        counts = members.map { _ in CountBox() }
    }

    package var isPassable: Bool { members.contains { $0.isPassable } }
    package func hasRoom(for bytes: Int) -> Bool { members.contains { $0.isPassable && $0.hasRoom(for: bytes) } }

    /// Events given to each member.
    package var sentEvents: [UInt64] { counts.map(\.value) }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        for (place, member) in members.enumerated() where member.isPassable && member.hasRoom(for: batch.byteCount) {
            do throws(IntakeRefusal) {
                let receipt = try await member.accept(batch, deadline: Moment(nanoseconds: .min))
                counts[place].add(batch.count)
                return receipt
            } catch {
                // Somebody else was quicker, or it stops: the next one.
                continue
            }
        }
        let receipt = try await members[0].accept(batch, deadline: deadline)
        counts[0].add(batch.count)
        return receipt
    }
}

/// Spreads events over its members by weight and load (`type: balance`). A member whose gate is held leaves until it is
/// not.
///
/// When all are held, the sender waits at the least loaded.
package final class BalanceIntake: GaugedIntake {
    package let name: String
    package let members: [any GaugedIntake]
    private let balancer: Mutex<Balancer>
    private let time: any TimeSource

    package init(name: String, members: [(intake: any GaugedIntake, weight: Int)], time: any TimeSource) {
        precondition(!members.isEmpty, "the balancer \(name) has no members")
        self.name = name
        self.members = members.map(\.intake)
        self.time = time
        var balancer = Balancer()
        balancer.set(members.enumerated().map { ($0.offset, $0.element.weight) })
        self.balancer = Mutex(balancer)
    }

    package var isPassable: Bool { members.contains { $0.isPassable } }
    package func hasRoom(for bytes: Int) -> Bool { members.contains { $0.isPassable && $0.hasRoom(for: bytes) } }

    /// What was sent to each member in this window, in bytes, with what was carried over.
    package var loads: [Double] { balancer.withLock { $0.members.map(\.sent) } }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let size = batch.byteCount
        for _ in members {
            let chosen = choose { place in
                members[place].isPassable ? members[place].hasRoom(for: size) ? .ready : .away : .away
            }
            guard let chosen else { break }
            do throws(IntakeRefusal) {
                let receipt = try await members[chosen].accept(batch, deadline: Moment(nanoseconds: .min))
                balancer.withLock { $0.sent(size, to: chosen) }
                return receipt
            } catch {
                continue
            }
        }
        let last = choose { members[$0].isPassable ? .ready : .away } ?? choose { _ in .ready } ?? 0
        let receipt = try await members[last].accept(batch, deadline: deadline)
        balancer.withLock { $0.sent(size, to: last) }
        return receipt
    }

    private func choose(_ readiness: (Int) -> Balancer.Readiness) -> Int? {
        let now = time.now
        return balancer.withLock { $0.choose(at: now, readiness) }
    }
}

/// Takes everything, keeps nothing, counts (`type: drop`).
package final class DropIntake: GaugedIntake {
    package let name: String
    private let count = Atomic<UInt64>(0)
    private let size = Atomic<UInt64>(0)

    package init(name: String) { self.name = name }

    package var isPassable: Bool { true }
    package func hasRoom(for bytes: Int) -> Bool { true }
    package var droppedEvents: UInt64 { count.load(ordering: .relaxed) }
    package var droppedBytes: UInt64 { size.load(ordering: .relaxed) }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        count.wrappingAdd(UInt64(batch.count), ordering: .relaxed)
        size.wrappingAdd(UInt64(batch.byteCount), ordering: .relaxed)
        return .kept
    }
}

extension Routes: GaugedIntake {
    /// A router is held where one of its targets is: what it would hand on there would wait.
    package var isPassable: Bool {
        targets.allSatisfy { ($0 as? any GaugedIntake)?.isPassable ?? true }
    }
    package func hasRoom(for bytes: Int) -> Bool {
        targets.allSatisfy { ($0 as? any GaugedIntake)?.hasRoom(for: bytes) ?? true }
    }
    private var targets: [any Intake] { rules.flatMap(\.to) + (otherwise.map { [$0] } ?? []) }
}

/// A counter in an array.
private final class CountBox: Sendable {
    private let count = Atomic<UInt64>(0)
    func add(_ amount: Int) { count.wrappingAdd(UInt64(amount), ordering: .relaxed) }
    var value: UInt64 { count.load(ordering: .relaxed) }
}
