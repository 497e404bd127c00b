// Keeping secrets out of messages that show a source line.

enum SecretText {
    /// Replaces a range of characters by as many stars: the columns, and so the caret, stay true.
    static func blot(_ line: String, column: Int, length: Int) -> String {
        String(
            line.enumerated().map { index, character in
                index + 1 >= column && index + 1 < column + length ? "*" : character
            })
    }
}
