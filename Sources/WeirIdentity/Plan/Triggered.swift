package import WeirWorld

/// A rule that wants something done to an identity, as the evaluation hands it to the catches. Evaluated once for each
/// rule and identity of a sync.
package struct Triggered: Sendable {
    /// The rule's place in the book.
    package var rule: Int
    /// The identity's number in the snapshot, and its persistent id.
    package var number: Int
    package var identity: String
    package var label: String
    package var changes: [Change]
    /// The changes as they are kept and fingerprinted.
    package var encoded: [UInt8]
    package var secrets: [String: String] = [:]
    package var fingerprint: Fingerprint
    /// What the VIP expression says of the new state and of the last known good one.
    package var vip = (new: VIPCatch.Finding.no, old: VIPCatch.Finding.absent)
    package var priority = Priority.none
    package var throttle = Throttle.period(.zero)
    /// Accounts and mail addresses of the identity, lower case: nobody approves what is done to themselves.
    package var own: [String] = []

    package enum Throttle: Sendable, Hashable {
        case period(Duration)
        /// The expression failed: nothing runs.
        case failed(String)
    }

    /// Lower goes first; what has none goes last.
    package enum Priority: Sendable, Hashable, Comparable {
        case number(Double)
        case text(String)
        case none

        package static func < (left: Priority, right: Priority) -> Bool {
            switch (left, right) {
            case (.number(let a), .number(let b)): a < b
            case (.text(let a), .text(let b)): a < b
            case (.number, .text), (.number, .none), (.text, .none): true
            default: false
            }
        }
    }
}

/// What the catches make of a trigger, before anything has run.
package enum Planned: Sendable, Hashable {
    /// Runs in this sync. With an action where it was approved before.
    case ready(action: String?, isHuman: Bool)
    /// `last` corrects what is kept where the clock was put back.
    case throttled(until: WallTime, last: WallTime)
    /// Waits for a person. `action`: one that waits already, unchanged; nil: a new one. `replaces`: the open one whose
    /// change is another one now.
    case suspended(ActionReason, action: String?, replaces: String?)
    case postponed(ActionReason, until: WallTime)
    case skipped(ActionReason, String)
    case failed(ActionReason, String)
}
