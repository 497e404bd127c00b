import Synchronization
import WeirConnectors
import WeirFlow
import WeirGates
import WeirTestKit
import WeirWorld

/// The receivers behind the routes: they take their time, lose a part, and are away for hours.
final class ForgetfulReceivers: Intake {
    let name = "receivers"
    private struct State {
        var kept: Set<String> = []
        var open: [(receipt: Receipt, events: [String])] = []
        var life = 0
        var awayUntil = Moment.zero
        var isCalm = false
    }
    private let state = Mutex(State())
    private let simulation: Simulation

    init(_ simulation: Simulation) { self.simulation = simulation }

    /// Every event that a receiver has.
    var kept: Set<String> { state.withLock { $0.kept } }

    func goAway(for duration: Duration) {
        simulation.note("the receivers are away for \(duration)")
        state.withLock { $0.awayUntil = max($0.awayUntil, simulation.now + duration) }
    }

    func calm() {
        state.withLock { state in
            state.isCalm = true
            state.awayUntil = .zero
        }
    }

    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let receipt = Receipt()
        let events = batch.texts
        let chance = simulation.random()
        let (life, due, isLost) = state.withLock { state in
            state.open.append((receipt, events))
            let due = max(simulation.now, state.awayUntil) + .milliseconds(Int64(chance % 3_000))
            return (state.life, due, !state.isCalm && chance % 7 == 0)
        }
        simulation.schedule(at: due) { [self] in
            state.withLock { state in
                guard state.life == life else { return }
                state.open.removeAll { $0.receipt === receipt }
                if !isLost { state.kept.formUnion(events) }
            }
            receipt.settle(isLost ? .lost(Reason("test", "lost on the way")) : .kept)
        }
        return receipt
    }

    /// The process dies: nobody hears of what was on its way.
    func die() {
        let open = state.withLock { state in
            state.life += 1
            defer { state.open = [] }
            return state.open.map(\.receipt)
        }
        for receipt in open { receipt.settle(.lost(Reason("test", "killed"))) }
    }
}

/// What one connector brought, and how many runs of it are known to have ended. Each run goes on from the number that
/// the last one left as its state, so that one that is lost or done twice shows.
struct ConnectorNumbers {
    /// What its state may be: more than one value where a crash or a reset came while it was written. 0 is none.
    private(set) var known: Set<Int> = [0]
    /// A person reset its state while the run under way went on: it drops its state at its end.
    private var wasReset = false
    /// A reset is on its way to disk.
    private var isResetting = false
    /// Events by their text, with their bytes in the queue: those that were acknowledged.
    private(set) var acknowledged: [String: Int64] = [:]
    private var events = 0

    /// A run begins.
    /// - Returns: what is wrong with the state that it finds.
    mutating func begins(at number: Int) -> String? {
        wasReset = false
        isResetting = false
        guard known.contains(number) else { return "a run finds the state \(number), and \(known.sorted()) is known" }
        known = [number]
        return nil
    }

    mutating func nextEvent(of id: ConnectorID) -> String {
        events += 1
        return #"{"id":"\#(id)-\#(events)","x":""#
    }

    mutating func acknowledge(_ event: String) { acknowledged[event] = Int64(event.utf8.count + 1) }

    /// The end of a run is on its way to disk, and then there.
    mutating func isEnding(_ number: Int) { known.formUnion(wasReset ? [0] : [number]) }
    mutating func hasEnded(_ number: Int) { known = wasReset ? [0] : isResetting ? [0, number] : [number] }

    /// A reset is on its way to disk, and then there.
    mutating func isReset() {
        isResetting = true
        known.insert(0)
    }
    mutating func hasReset() {
        wasReset = true
        isResetting = false
        known = [0]
    }

    /// Bytes that are in the queue for certain.
    func waiting(_ kept: Set<String>) -> Int64 {
        acknowledged.reduce(0) { kept.contains($1.key) ? $0 : $0 + $1.value }
    }
}
