/// A piece of HTML or SVG that is safe to send: the only ways in are constants of the source code and text that is
/// escaped here.
///
/// Names of tags and attributes are `StaticString`, so nothing that was configured or received can become one; values
/// and text are escaped for both places at once (`& < > " '`), so that it cannot be done for the wrong one.
struct Markup: Sendable {
    private(set) var text: String

    init() { text = "" }

    init(_ string: String) {
        text = ""
        Self.escape(string, into: &text)
    }

    /// Markup that was written by hand, in this source code.
    init(constant: StaticString) { text = "\(constant)" }

    fileprivate init(trusted: String) { text = trusted }

    static func + (left: Markup, right: Markup) -> Markup { Markup(trusted: left.text + right.text) }

    static func joined(_ parts: [Markup]) -> Markup { Markup(trusted: parts.map(\.text).joined()) }

    private static func escape(_ string: String, into text: inout String) {
        for scalar in string.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            case "\t", "\n": text.unicodeScalars.append(scalar)
            // Controls and the marks that turn text round are not shown as they are: a name could pretend to be
            // another one.
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
                text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    fileprivate static let void: Set<String> = ["meta", "link", "br", "input", "hr"]
}

/// Writes `<name attributes>content</name>`.
func tag(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
    @MarkupBuilder _ content: () -> Markup = { Markup() }
) -> Markup {
    var text = "<\(name)"
    for (key, value) in attributes { text += " \(key)=\"\(Markup(value).text)\"" }
    text += ">"
    guard !Markup.void.contains("\(name)") else { return Markup(trusted: text) }
    return Markup(trusted: text + content().text + "</\(name)>")
}

/// Lets pages be written as nested blocks; a plain `String` in a block is text, so it is escaped.
@resultBuilder
enum MarkupBuilder {
    static func buildExpression(_ markup: Markup) -> Markup { markup }
    static func buildExpression(_ text: String) -> Markup { Markup(text) }
    static func buildBlock(_ parts: Markup...) -> Markup { .joined(parts) }
    static func buildOptional(_ part: Markup?) -> Markup { part ?? Markup() }
    static func buildEither(first: Markup) -> Markup { first }
    static func buildEither(second: Markup) -> Markup { second }
    static func buildArray(_ parts: [Markup]) -> Markup { .joined(parts) }
}
