/// The known word nearest to a mistyped one: at most two edits away (insert, delete, replace, swap neighbours), or one
/// that it is the beginning of.
package enum Nearest {
    /// "did you mean `action`?"; `nil` when nothing is near.
    package static func sentence(_ word: String, among known: [String]) -> String? {
        self.word(word, among: known).map { "did you mean `\($0)`?" }
    }

    package static func word(_ word: String, among known: [String]) -> String? {
        let folded = fold(word)
        // A word from outside may be long; nothing known is within two edits of it then.
        guard !folded.isEmpty && folded.count <= 80 else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in known {
            let other = fold(candidate)
            if abs(other.count - folded.count) > 2 || other.count > 80 { continue }
            let distance = self.distance(folded, other)
            // Two edits turn any word of three letters into almost any other.
            let allowed = min(2, max(1, min(folded.count, other.count) - 2))
            if distance <= allowed && distance < (best?.distance ?? .max) { best = (candidate, distance) }
        }
        if let best { return best.word }
        return folded.count < 3 ? nil : known.filter { fold($0).starts(with: folded) }.min()
    }

    /// Letters in lower case, `-` and space as `_`: `maxSize`, `max-size` and `Max_Size` are all near `max_size`.
    private static func fold(_ word: String) -> [UInt8] {
        word.utf8.prefix(200).map { byte in
            switch byte {
            case 0x41...0x5A: byte + 32
            case UInt8(ascii: "-"), UInt8(ascii: " "): UInt8(ascii: "_")
            default: byte
            }
        }
    }

    /// Optimal string alignment (Damerau-Levenshtein with adjacent swaps).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
        var older = [Int](repeating: 0, count: right.count + 1)
        var old = Array(0...right.count)
        for i in 1...left.count {
            var row = [Int](repeating: i, count: right.count + 1)
            for j in 1...right.count {
                let cost = left[i - 1] == right[j - 1] ? 0 : 1
                row[j] = min(old[j] + 1, row[j - 1] + 1, old[j - 1] + cost)
                if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                    row[j] = min(row[j], older[j - 2] + 1)
                }
            }
            (older, old) = (old, row)
        }
        return old[right.count]
    }
}
