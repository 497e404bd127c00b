// Keeping secrets out of messages that show a source line. Stars take the place of as many characters, so that columns,
// and with them the caret, stay true.

enum SecretText {
    /// Replaces a range of code points by stars.
    static func blot(_ line: String, column: Int, length: Int) -> String {
        var result = String.UnicodeScalarView()
        for (index, scalar) in line.unicodeScalars.enumerated() {
            result.append(index + 1 >= column && index + 1 < column + length ? "*" : scalar)
        }
        return String(result)
    }

    private static let telling = [
        "password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key", "credential",
        "authorization",
    ]

    /// Blots out what stands after a key that sounds like a secret. For lines that were never understood: a syntax
    /// error, an unknown key. References (`{ file: … }`) stay readable.
    static func masked(_ line: String) -> String {
        let scalars = Array(line.unicodeScalars)
        var result = scalars
        var index = 0
        while index < scalars.count {
            guard scalars[index] == ":", index + 1 < scalars.count, isTelling(scalars[..<index]) else {
                index += 1
                continue
            }
            var start = index + 1
            while start < scalars.count, scalars[start] == " " { start += 1 }
            let end = self.end(of: scalars, from: start, isFlow: scalars[..<index].contains("{"))
            if start < end, !["{", "*", "|", ">"].contains(scalars[start]) {
                for place in start..<end { result[place] = "*" }
            }
            index = max(end, index + 1)
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: result)
        return String(view)
    }

    /// Whether the word that ends here sounds like a secret.
    private static func isTelling(_ before: ArraySlice<Unicode.Scalar>) -> Bool {
        var word = String.UnicodeScalarView()
        for scalar in before.reversed().drop(while: { $0 == " " || $0 == "\"" || $0 == "'" }) {
            if scalar == " " || scalar == "{" || scalar == "," || scalar == "\"" || scalar == "'" { break }
            if word.count > 80 { break }
            word.append(scalar)
        }
        let name = String(String(word).reversed()).lowercased().map { $0 == "-" ? "_" : $0 }
        return telling.contains { String(name).contains($0) }
    }

    private static func end(of scalars: [Unicode.Scalar], from start: Int, isFlow: Bool) -> Int {
        guard start < scalars.count else { return scalars.count }
        let opening = scalars[start]
        if opening == "{" { return start }
        if opening == "\"" || opening == "'" {
            // An unclosed quote hides all that follows: better too much than too little.
            return scalars[(start + 1)...].firstIndex(of: opening).map { $0 + 1 } ?? scalars.count
        }
        if !isFlow { return scalars.count }
        return scalars[start...].firstIndex { $0 == "," || $0 == "}" } ?? scalars.count
    }
}
