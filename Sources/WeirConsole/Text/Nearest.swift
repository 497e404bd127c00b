/// Finds what somebody meant who mistyped a name.
package enum Nearest {
    /// The known name with the fewest changes (insert, delete, replace, swap neighbours) to `name`; at most two, and
    /// fewer than the name is long. `nil` when none is that near.
    package static func name(to name: String, in known: [String]) -> String? {
        let typed = Array(name.lowercased().unicodeScalars.prefix(64))
        var best: (name: String, distance: Int)?
        for candidate in known.sorted() {
            let distance = distance(typed, Array(candidate.lowercased().unicodeScalars.prefix(64)))
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        guard let best, best.distance <= 2, best.distance < max(typed.count, 1) else {
            // A beginning is a good hint too: `siem` for `siem-http`.
            let longer = typed.count >= 3 ? known.filter { $0.lowercased().hasPrefix(name.lowercased()) } : []
            return longer.min()
        }
        return best.name
    }

    /// Optimal string alignment (Damerau–Levenshtein without moving a letter twice).
    static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var before = [Int]()
        var above = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                var cost = min(above[j + 1] + 1, row[j] + 1, above[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, before[j - 1] + 1)
                }
                row.append(cost)
            }
            before = above
            above = row
        }
        return above[right.count]
    }
}
