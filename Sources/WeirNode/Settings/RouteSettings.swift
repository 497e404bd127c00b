package import WeirSettings

/// One rule: which events go where.
package struct RouteSettings: Settings {
    package var name = ""
    package var when = ExpressionText("true")
    package var to = OneOrMany<String>()
    package var isFinal = true

    package init() {}

    package static let fields: [Field<Self>] = [
        field("name", \.name, required: true, "What it is called in metrics and messages."),
        field(
            "when", \.when, examples: ["\"event.severity <= 3\""],
            "Which events, as an expression; all of them when absent. An event for which it cannot be evaluated does "
                + "not match."
        ),
        field("to", \.to, required: true, examples: ["siem", "[ siem, archive ]"], "One destination, or several."),
        field(
            "final", \.isFinal,
            "True: what matches goes no further down. False: it is copied, and the routes below see it too."),
    ]
}
