/// The `Link` header (RFC 8288): `<https://…>; rel="next", <…>; rel="last"`.
enum LinkHeader {
    /// Without the semicolons that stand in quotes, so that those that are left separate parameters.
    private static func unquoted(_ text: Substring) -> String {
        var isQuoted = false
        return String(
            text.map { character in
                if character == "\"" { isQuoted.toggle() }
                return isQuoted && character == ";" ? "," : character
            })
    }

    /// The target of the link whose relation is `next`.
    static func next(_ header: String) -> String? {
        var rest = header[...]
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            rest = rest[rest.index(after: close)...]
            // Parameters go on to the comma before the next link; commas in quotes belong to them.
            var isQuoted = false
            let end = rest.firstIndex { character in
                if character == "\"" { isQuoted.toggle() }
                return character == "," && !isQuoted
            }
            let parameters = rest[..<(end ?? rest.endIndex)]
            rest = rest[(end ?? rest.endIndex)...]
            for parameter in unquoted(parameters).split(separator: ";") {
                let halves = parameter.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\"" } }
                let isNext = halves.count == 2 && halves[0].lowercased() == "rel"
                // A link can have several relations.
                if isNext, parameter.lowercased().split(whereSeparator: { " \"=".contains($0) }).contains("next") {
                    return String(target)
                }
            }
        }
        return nil
    }
}
