internal import WeirWorld

/// A path with `*`, `?` and `[a-z]` in any of its parts: `/var/log/*/access*.log`. `**` is not known.
struct FilePattern: Sendable, Hashable {
    let text: String
    private let parts: [String]
    private let isAbsolute: Bool

    init(_ text: String) {
        self.text = text
        parts = text.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        isAbsolute = text.hasPrefix("/")
    }

    /// Most files of one pattern; more are left out, and the source says so.
    static let filesMost = 10_000

    /// The files that match, sorted. Directories that cannot be read match nothing. Blocking.
    func files(in files: any FileSystem) -> [String] {
        var paths = [isAbsolute ? "/" : ""]
        for (place, part) in parts.enumerated() {
            let isLast = place == parts.count - 1
            guard part.contains(where: { "*?[".contains($0) }) else {
                paths = paths.map { Self.joined($0, part) }
                continue
            }
            var next: [String] = []
            for path in paths {
                let names = (try? files.list(path.isEmpty ? "." : path)) ?? []
                next += names.filter { Self.matches($0, part) }.map { Self.joined(path, $0) }
                if next.count > Self.filesMost { break }
            }
            paths = Array(next.prefix(Self.filesMost))
            if !isLast { paths = paths.filter { ((try? files.status($0)) ?? nil)?.kind == .directory } }
        }
        return paths.filter { ((try? files.status($0)) ?? nil)?.kind == .file }.sorted()
    }

    private static func joined(_ directory: String, _ name: String) -> String {
        directory.isEmpty || directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// Names that begin with a point match only patterns that do too. Takes time in proportion to the two lengths'
    /// product at most.
    static func matches(_ name: String, _ pattern: String) -> Bool {
        if name.hasPrefix(".") && !pattern.hasPrefix(".") { return false }
        let name = Array(name.unicodeScalars)
        let pattern = Array(pattern.unicodeScalars)
        var at = 0
        var place = 0
        var star: (pattern: Int, name: Int)?
        while at < name.count {
            if place < pattern.count, pattern[place] == "*" {
                star = (place + 1, at)
                place += 1
            } else if let next = step(name[at], pattern, place) {
                at += 1
                place = next
            } else if let back = star {
                // The star takes one more.
                star = (back.pattern, back.name + 1)
                place = back.pattern
                at = back.name + 1
            } else {
                return false
            }
        }
        while place < pattern.count, pattern[place] == "*" { place += 1 }
        return place == pattern.count
    }

    /// Where the pattern goes on when one letter matches.
    private static func step(_ letter: Unicode.Scalar, _ pattern: [Unicode.Scalar], _ place: Int) -> Int? {
        guard place < pattern.count else { return nil }
        switch pattern[place] {
        case "?": return place + 1
        case "[":
            var index = place + 1
            let isNegated = index < pattern.count && (pattern[index] == "!" || pattern[index] == "^")
            if isNegated { index += 1 }
            var found = false
            var isFirst = true
            while index < pattern.count, isFirst || pattern[index] != "]" {
                isFirst = false
                if index + 2 < pattern.count, pattern[index + 1] == "-", pattern[index + 2] != "]" {
                    if pattern[index] <= letter && letter <= pattern[index + 2] { found = true }
                    index += 3
                } else {
                    if pattern[index] == letter { found = true }
                    index += 1
                }
            }
            // Without its end a bracket is a letter like others.
            guard index < pattern.count else { return letter == "[" ? place + 1 : nil }
            return found != isNegated ? index + 1 : nil
        default: return pattern[place] == letter ? place + 1 : nil
        }
    }
}
