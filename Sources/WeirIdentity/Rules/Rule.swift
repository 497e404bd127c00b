/// What should be true of an identity in one silo, and the catches that stand before it is made so. A value from the
/// configuration; expressions are still text here and are compiled once by the rule book.
package struct Rule: Sendable, Hashable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        /// Makes an object in the target silo for an identity that has none there.
        case provision
        /// Makes attributes of the identity's object what the template says.
        case update
        /// Makes the object's name (RDN and parent) what the template says.
        case rename
        /// An update that takes access away: asked before it is mailed, never approved by expiry unless confirmed.
        case disable
        /// Deletes the object, after the grace.
        case deprovision
        /// Makes the identity's object a member of exactly those groups, among the groups that the rule manages.
        case membership
        /// Tells a webhook or a program.
        case event
    }

    /// One line of the change template: an attribute and the expression that gives its value or values.
    package struct Flow: Sendable, Hashable {
        package var attribute: String
        package var expression: String
        /// Written once when the object is made, never compared again (initial passwords).
        package var isInitial: Bool
        /// Never shown, logged, mailed or kept; the fingerprint holds an HMAC of it.
        package var isSecret: Bool

        package init(attribute: String, expression: String, isInitial: Bool = false, isSecret: Bool = false) {
            self.attribute = attribute
            self.expression = expression
            self.isInitial = isInitial
            self.isSecret = isSecret
        }
    }

    /// The largest number of actions that passes by itself in one sync.
    package enum Limit: Sendable, Hashable {
        case none
        case count(Int)
        /// In hundredths of a percent (500 is 5 %) of the target silo's live objects of the target's type.
        case share(basisPoints: Int)
    }

    package struct Threshold: Sendable, Hashable {
        /// Default: 5 %.
        package var limit = Limit.share(basisPoints: 500)
        /// The limit is never less than this. Default: 0.
        package var atLeast = 0
        /// Deltas and single syncs add what ran without approval in this time. Default: one hour.
        package var lookback = Duration.seconds(3_600)
        /// Full syncs look back too. Default: false.
        package var looksBackOnFull = false

        package init() {}
    }

    package enum Throttle: Sendable, Hashable {
        case none
        case period(Duration)
        /// `env.NAME`, resolved once at the start of a sync.
        case variable(String)
        /// An expression of type `duration`, for each identity.
        case expression(String)
    }

    package enum QuotaPeriod: String, Sendable, Codable, CaseIterable {
        case sync, hour, day, week
    }

    package struct Quota: Sendable, Hashable {
        package var most: Int
        package var per: QuotaPeriod

        package init(most: Int, per: QuotaPeriod) {
            self.most = most
            self.per = per
        }
    }

    package enum Expiry: String, Sendable, Codable, CaseIterable {
        case clear, approve
    }

    package enum LinkPolicy: String, Sendable, Codable, CaseIterable {
        /// The mailed link decides after its page was confirmed.
        case token
        /// The mailed link opens the page; deciding needs a sign-in.
        case login
    }

    package struct Review: Sendable, Hashable {
        /// Counted from the suspension. Default: 72 hours.
        package var expiry = Duration.seconds(72 * 3_600)
        /// Default: clear.
        package var onExpiry = Expiry.clear
        /// Mail addresses of those who are asked.
        package var approvers: [String] = []
        /// Default: login for disable and deprovision, token else.
        package var links = LinkPolicy.token
        /// Two people must approve. Default: false.
        package var needsTwo = false
        /// Default: false.
        package var allowsSelfApproval = false

        package init() {}
    }

    /// Stable; history, throttles and approvals hang on it.
    package var name: String
    package var kind: Kind
    package var target: ObjectKind
    /// All must hold.
    package var scopes: [String] = []
    /// Nil: always. May use `Count()`.
    package var condition: String?
    /// The object's name for `provision` and `rename` (a DN in a directory).
    package var objectName: String?
    package var flows: [Flow] = []
    /// For `membership`: names of the groups that the identity should be in (list of string).
    package var groups: String?
    /// For `membership`: the groups that the rule manages, as an expression over `group` (its record); nil: all groups
    /// of the target type.
    package var managed: String?
    /// For `membership`: the groups' attribute that lists members by name. Default: member.
    package var memberAttribute = "member"
    /// For `deprovision`: how long the condition must have held.
    package var grace: Duration?
    package var throttle = Throttle.none
    package var threshold = Threshold()
    /// Whether VIPs are always asked about. Default: true.
    package var asksForVIP = true
    /// In place of the instance's VIP expression.
    package var vip: String?
    package var quotas: [Quota] = []
    /// Lower goes first where only some may; nil: by identity.
    package var priority: String?
    package var review = Review()
    /// Planned and shown, never carried out.
    package var isSimulated = false
    /// Where more than this share of identities fail in an expression, the rule is held. Hundredths of a percent;
    /// default: 100 (1 %), and at least 10 identities.
    package var errorsMost = 100
    /// For `event`: name of the channel (webhook or program) that is told.
    package var channel: String?

    /// Whose number a percentage is of. Of a membership rule it is the people who may be members, because it is people
    /// who are counted; of all others the target.
    package var base: ObjectKind { kind == .membership ? ObjectKind(silo: target.silo) : target }

    package init(name: String, kind: Kind, target: ObjectKind) {
        self.name = name
        self.kind = kind
        self.target = target
        if kind == .disable || kind == .deprovision { review.links = .login }
    }
}
