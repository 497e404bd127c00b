package import WeirExpressions

/// A destination that owns other destinations, as a pure description; WeirDelivery has the machinery and the node puts
/// it together and looks for cycles.
package enum ComposedPlan: Sendable {
    /// Rules in order; what no rule takes goes to `otherwise`, or is dropped and counted.
    case router(rules: [ComposedRule], otherwise: String?)
    case balance(members: [ComposedMember])
    /// In order of preference.
    case fallback(members: [String])

    /// Every destination that it names, in the order of the settings.
    package var names: [String] {
        switch self {
        case .router(let rules, let otherwise): rules.flatMap(\.to) + (otherwise.map { [$0] } ?? [])
        case .balance(let members): members.map(\.destination)
        case .fallback(let members): members
        }
    }
}

package struct ComposedRule: Sendable {
    package var name: String
    /// `nil` takes everything.
    package var when: Matcher?
    package var to: [String]
    /// False clones: the event goes on to the next rule too.
    package var isFinal: Bool
}

package struct ComposedMember: Sendable, Hashable {
    package var destination: String
    package var weight: Int
}
