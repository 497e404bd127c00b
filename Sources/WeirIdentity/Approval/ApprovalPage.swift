package import WeirWorld

/// Who opens a link or sends a form.
package struct ApprovalVisitor: Sendable {
    /// At the loopback API: who may run commands on this machine counts as signed in.
    package var isOperator: Bool
    /// Of the link, or of the cookie that took its place.
    package var token: String?
    package var address: String?
    /// What the browser calls itself.
    package var agent: String?

    package init(isOperator: Bool, token: String? = nil, address: String? = nil, agent: String? = nil) {
        self.isOperator = isOperator
        self.token = token
        self.address = address
        self.agent = agent
    }
}

/// What a link shows. Nothing is decided by making one.
package struct ApprovalPage: Sendable {
    /// Actions on one page; the whole is in the console.
    package static let rowsMost = 200

    package var subject: ApprovalSubject
    /// Nil where the page asks which of the two.
    package var verb: ApprovalVerb?
    package var rule: Rule?
    package var hold: HoldView?
    /// VIPs first.
    package var actions: [ActionView]
    /// Those that wait for a decision.
    package var waiting: Int
    /// Whom the link was mailed to; nil for an operator without a link.
    package var recipient: String?
    /// For the form; nil where this visitor may not decide here.
    package var form: String?
    /// The rule asks for a sign-in, and this visitor has none.
    package var asksToSignIn = false
    /// There were others when the mail was sent.
    package var hasChanged = false
    package var at: WallTime
}

/// What comes of a GET or a POST.
package enum ApprovalAnswer: Sendable {
    /// Show it (200).
    case page(ApprovalPage)
    /// Decided now (200).
    case decided(DecisionResult, ApprovalPage)
    /// Nothing to decide any more: decided before, expired, changed or no longer needed (410).
    case gone(ApprovalPage)
    /// The form does not fit what is there now, or is too old: look again (409).
    case lookAgain(ApprovalPage)
    /// The number of actions was not typed as it is (400).
    case wrongNumber(ApprovalPage)
    /// The engine refuses it.
    case refused(IdentityRefusal)
    /// Unknown, or not for this visitor: the same answer for both (404).
    case nothing
    /// Too many wrong links (429).
    case tooMany
}
