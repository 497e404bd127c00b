/// What can happen to an action.
package enum ActionEvent: Sendable, Hashable, CaseIterable {
    case approve, reject, revoke
    /// The time is over; the rule says clear, or approve.
    case expireCleared, expireApproved
    /// The change is another one now.
    case supersede
    /// The rule no longer asks for it.
    case drop
    /// A committed sync takes it and journals the intent.
    case claim
    case succeed, refuse
    /// The answer did not come, or the server ended before it was journalled.
    case lose
    /// The target was read: it is done, or nothing was done.
    case foundDone, foundUndone
    /// A later scan saw it.
    case confirm
}

extension ActionState {
    /// The one place that knows which state follows which.
    /// - Returns: nil where the event cannot happen in this state.
    package func after(_ event: ActionEvent) -> ActionState? {
        switch (self, event) {
        case (.suspended, .approve), (.suspended, .expireApproved): .approved
        case (.suspended, .reject), (.approved, .revoke): .rejected
        case (.suspended, .expireCleared): .expired
        case (.suspended, .supersede), (.approved, .supersede): .superseded
        case (.suspended, .drop), (.approved, .drop): .obsolete
        case (.approved, .claim): .executing
        case (.executing, .succeed), (.executing, .foundDone), (.unknown, .foundDone): .executed
        case (.executing, .refuse): .failed
        case (.executing, .lose): .unknown
        // Nothing was done and the approval still stands: it is bound to the change, and runs in the next sync.
        case (.executing, .foundUndone), (.unknown, .foundUndone): .approved
        case (.executed, .confirm): .confirmed
        default: nil
        }
    }

    /// Nothing more can happen to it.
    package var isTerminal: Bool { ActionEvent.allCases.allSatisfy { after($0) == nil } }
}
