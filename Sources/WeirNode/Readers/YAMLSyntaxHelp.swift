// libyaml's messages are right but speak of tokens and nodes. This table says what a person did, as far as it can be
// told.

extension YAMLSyntaxFailure {
    /// What is wrong and what to do; `line` is the text at the mark.
    func explained(line: String, depth: Int) -> (message: String, help: String) {
        let scalars = Array(line.unicodeScalars)
        let here = mark.column - 1 < scalars.count && mark.column >= 1 ? scalars[mark.column - 1] : nil
        switch problem {
        case "found character that cannot start any token":
            if here == "\t" { return ("a tab stands where the line should be indented", "indent with spaces") }
            let shown = here.map { "`\($0)`" } ?? "this character"
            return ("text cannot begin with \(shown)", "put the text in quotes")
        case "found a tab character that violates indentation",
            "found a tab character where an indentation space is expected":
            return ("a tab stands where the line should be indented", "indent with spaces")
        case "mapping values are not allowed in this context":
            return (
                "a `:` stands where no key can be",
                "put text that holds `: ` in quotes, or check the indentation of this line and the one above"
            )
        case "did not find expected key" where here == ":":
            return ("a key is missing before the `:`", "write `key: value`")
        case "did not find expected key":
            return (
                "this line fits nothing above it", "check its indentation, and quotes and brackets in the lines above"
            )
        case "could not find expected ':'":
            return ("there is no `:` after this key", "write `key: value`")
        case "did not find expected '-' indicator":
            return ("this line does not continue the list above", "begin it with `- `, or indent it less")
        case "did not find expected ',' or ']'":
            return (
                "the list opened with `[` is not closed\(opened)", "separate its items by `,` and close it with `]`"
            )
        case "did not find expected ',' or '}'":
            return (
                "the group opened with `{` is not closed\(opened)", "separate its entries by `,` and close it with `}`"
            )
        case "found unexpected end of stream":
            return ("the quotes\(opened) are never closed", "close them")
        case "found unknown escape character":
            return ("this escape is not known", "write `\\\\` for a backslash, or use single quotes")
        case "found undefined tag handle", "did not find expected whitespace or line break":
            return (
                "text cannot begin with `!`, `*` or `&` here", "put the text in quotes"
            )
        case "control characters are not allowed":
            return ("there is a control character", "take it out, or write it as `\"\\x07\"` in double quotes")
        case "found extra document", "did not find expected <document start>":
            return ("there is something after the end of the configuration", "check the indentation of this line")
        case _ where problem.hasPrefix("Maximum nesting level"):
            // libyaml looks ahead, and has a limit of its own far above ours.
            return ("more than \(depth) levels are nested here", "a configuration is never that deep")
        default:
            if offset != nil { return ("this is not UTF-8 text (\(problem))", "save the file as UTF-8") }
            return ("this is not YAML: \(problem)", "")
        }
    }

    private var opened: String {
        guard let contextMark, contextMark.line != mark.line else { return "" }
        return " (opened in line \(contextMark.line))"
    }
}
