/// A field below `event`, known when the expression is read: `event.user.name`, `event["user"]`, `event.?user`.
struct EventPath: Sendable {
    var names: [String]
    /// Only for a path of one name: the answer is an optional.
    var isOptional: Bool

    init?(_ term: Term) {
        switch term {
        case .select(let inner, let name, let isOptional),
            .index(let inner, .constant(.string(let name)), let isOptional):
            if case .variable("event") = inner {
                self.names = [name]
                self.isOptional = isOptional
                return
            }
            guard !isOptional, let outer = EventPath(inner), !outer.isOptional else { return nil }
            self.names = outer.names + [name]
            self.isOptional = false
        default: return nil
        }
    }
}
