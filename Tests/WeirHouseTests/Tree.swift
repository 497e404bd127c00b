import Foundation

/// The files of this repository as the house tests see them.
enum Tree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Files below `folder` with one of the `endings`, as paths from the root, sorted. What is built or fetched is left out.
    static func files(_ folder: String, _ endings: String...) -> [String] {
        let start = root.appendingPathComponent(folder).path
        guard let walker = FileManager.default.enumerator(atPath: start) else { return [] }
        var found: [String] = []
        for case let name as String in walker {
            let isHidden = name.split(separator: "/").contains { $0.hasPrefix(".") || $0 == "__pycache__" }
            if !isHidden, endings.contains(where: name.hasSuffix) { found.append("\(folder)/\(name)") }
        }
        return found.sorted()
    }

    /// Sources in Swift that are ours to keep in order.
    static let sources = files("Sources", ".swift")
    static let tests = files("Tests", ".swift")

    /// - Returns: an empty text for a file that cannot be read as UTF-8; the caller's expectations then fail.
    static func text(_ path: String) -> String {
        (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    static func lines(_ path: String) -> [Substring] {
        text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The lines of a Swift file with comments and the insides of string literals blanked, so that a rule about code does not
    /// hit prose. Interpolations are blanked with their literal.
    static func code(_ path: String) -> [String] {
        var scanner = CodeScanner()
        return lines(path).map { scanner.code(of: $0) }
    }
}

/// Blanks comments and string literals, line by line. It knows `//`, nested `/* */`, `"…"`, `"""…"""` and raw strings.
struct CodeScanner {
    private enum Place {
        case code
        case comment(depth: Int)
        case string(isBlock: Bool, hashes: Int)
    }

    private var place = Place.code

    mutating func code(of line: Substring) -> String {
        let text = Array(line.unicodeScalars)
        var out = String.UnicodeScalarView()
        var at = 0
        func has(_ sign: String, _ index: Int) -> Bool {
            let wanted = Array(sign.unicodeScalars)
            return index + wanted.count <= text.count && Array(text[index..<(index + wanted.count)]) == wanted
        }
        while at < text.count {
            switch place {
            case .comment(let depth):
                if has("*/", at) {
                    place = depth == 1 ? .code : .comment(depth: depth - 1)
                    at += 2
                } else if has("/*", at) {
                    place = .comment(depth: depth + 1)
                    at += 2
                } else {
                    at += 1
                }
            case .string(let isBlock, let hashes):
                let end = (isBlock ? "\"\"\"" : "\"") + String(repeating: "#", count: hashes)
                if hashes == 0, has("\\", at) {
                    at += 2
                } else if has(end, at) {
                    out.append("\"")
                    place = .code
                    at += end.unicodeScalars.count
                } else {
                    at += 1
                }
            case .code:
                if has("//", at) { return String(out) }
                if has("/*", at) {
                    place = .comment(depth: 1)
                    at += 2
                    continue
                }
                var hashes = 0
                while has("#", at + hashes) { hashes += 1 }
                if has("\"\"\"", at + hashes) || has("\"", at + hashes) {
                    let isBlock = has("\"\"\"", at + hashes)
                    out.append("\"")
                    place = .string(isBlock: isBlock, hashes: hashes)
                    at += hashes + (isBlock ? 3 : 1)
                } else {
                    out.append(text[at])
                    at += 1
                }
            }
        }
        // Only block strings and comments go on in the next line.
        if case .string(isBlock: false, hashes: _) = place { place = .code }
        return String(out)
    }
}
