import Foundation

/// The files of this repository as the house tests see them.
enum Tree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Files below `folder` with one of the `endings`, as paths from the root, sorted. What is built or fetched is left
    /// out.
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

    /// The lines of a Swift file with comments and the insides of string literals blanked, so that a rule about code
    /// does not hit prose. Interpolations are blanked with their literal.
    static func code(_ path: String) -> [String] {
        var scanner = CodeScanner()
        return lines(path).map { scanner.code(of: $0) }
    }
}

/// Blanks comments and string literals, line by line. It knows `//`, nested `/* */`, `"…"`, `"""…"""` and raw strings.
/// It works on bytes: every sign it looks for is ASCII.
struct CodeScanner {
    private enum Place {
        case code
        case comment(depth: Int)
        case string(isBlock: Bool, hashes: Int)
    }

    private static let quote = UInt8(ascii: "\""), hash = UInt8(ascii: "#"), slash = UInt8(ascii: "/")
    private static let star = UInt8(ascii: "*"), escape = UInt8(ascii: "\\")

    private var place = Place.code

    mutating func code(of line: Substring) -> String {
        let text = Array(line.utf8)
        var out: [UInt8] = []
        var at = 0
        func has(_ first: UInt8, _ second: UInt8) -> Bool {
            at + 1 < text.count && text[at] == first && text[at + 1] == second
        }
        func count(of byte: UInt8, from start: Int) -> Int {
            text[min(start, text.count)...].prefix { $0 == byte }.count
        }
        while at < text.count {
            switch place {
            case .comment(let depth):
                if has(Self.star, Self.slash) {
                    place = depth == 1 ? .code : .comment(depth: depth - 1)
                    at += 2
                } else if has(Self.slash, Self.star) {
                    place = .comment(depth: depth + 1)
                    at += 2
                } else {
                    at += 1
                }
            case .string(let isBlock, let hashes):
                let quotes = isBlock ? 3 : 1
                if hashes == 0, text[at] == Self.escape {
                    at += 2
                } else if count(of: Self.quote, from: at) >= quotes,
                    count(of: Self.hash, from: at + quotes) >= hashes
                {
                    out.append(Self.quote)
                    place = .code
                    at += quotes + hashes
                } else {
                    at += 1
                }
            case .code:
                if has(Self.slash, Self.slash) { return String(decoding: out, as: UTF8.self) }
                if has(Self.slash, Self.star) {
                    place = .comment(depth: 1)
                    at += 2
                    continue
                }
                let hashes = count(of: Self.hash, from: at)
                let quotes = count(of: Self.quote, from: at + hashes)
                if quotes > 0 {
                    out.append(Self.quote)
                    place = .string(isBlock: quotes >= 3, hashes: hashes)
                    at += hashes + (quotes >= 3 ? 3 : 1)
                } else {
                    out.append(text[at])
                    at += 1
                }
            }
        }
        // Only block strings and comments go on in the next line.
        if case .string(isBlock: false, hashes: _) = place { place = .code }
        return String(decoding: out, as: UTF8.self)
    }
}
