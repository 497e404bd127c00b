/// The name somebody probably meant.
enum Nearest {
    /// The closest of the known names within two edits (one for names under four letters); the first of equals.
    static func name(to written: String, among known: [String]) -> String? {
        let wanted = Array(written.unicodeScalars.prefix(64))
        var best: (name: String, distance: Int)?
        for name in known {
            let other = Array(name.unicodeScalars.prefix(64))
            guard abs(other.count - wanted.count) <= 2 else { continue }
            let distance = edits(wanted, other)
            guard distance <= (wanted.count < 4 ? 1 : 2), distance < best?.distance ?? .max else { continue }
            best = (name, distance)
        }
        return best?.name
    }

    private static func edits(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        var row = Array(0...b.count)
        for (i, left) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in b.enumerated() {
                let above = row[j + 1]
                row[j + 1] = left == right ? diagonal : 1 + min(diagonal, min(above, row[j]))
                diagonal = above
            }
        }
        return row[b.count]
    }
}
