import WeirFlow
package import WeirSettings

/// A text that is the same for all events, or an expression that gives it for each: `index: logs`, `index: { expr:
/// "event.index" }`.
package enum ValueOrExpression: SettingValue, ExpressibleByStringLiteral, Sendable {
    case value(String)
    case expression(ExpressionText)

    package init(stringLiteral text: String) { self = .value(text) }

    private struct Group: Settings {
        var expr: ExpressionText = ""
        static let fields: [Field<Self>] = [
            field("expr", \.expr, required: true, "Expression that gives the text for an event.")
        ]
    }

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> ValueOrExpression? {
        if case .map = node.content { return Group.read(node, &reading).map { .expression($0.expr) } }
        return String.read(node, &reading).map { .value($0) }
    }

    package static var shape: SettingShape { .either([.text, Group.shape]) }

    package var plain: PlainValue {
        switch self {
        case .value(let text): .text(text)
        case .expression(let written): .map([PlainEntry(key: "expr", value: .text(written.text))])
        }
    }

    var isEmpty: Bool {
        if case .value("") = self { true } else { false }
    }

    /// Compiles it; `nil` with a problem noted, or when nothing is set.
    func compile(_ planning: inout DestinationPlanning) -> TextOfEvent? {
        switch self {
        case .value(""): nil
        case .value(let text): .fixed(text)
        case .expression(let written): EventText.compile(written, &planning).map { .computed($0) }
        }
    }
}

/// A `ValueOrExpression`, compiled.
enum TextOfEvent: Sendable {
    case fixed(String)
    case computed(EventText)

    func text(_ event: UnsafeRawBufferPointer, of context: BatchContext) throws(EventText.Failure) -> String {
        switch self {
        case .fixed(let text): text
        case .computed(let expression): try expression.text(event, of: context)
        }
    }

    var isFixed: Bool {
        if case .fixed = self { true } else { false }
    }
}
