import Testing

@Suite("The text of the house")
struct TextTests {
    private static let ours =
        Tree.sources + Tree.tests + Tree.files("examples", ".swift") + Tree.files("Sources", ".c", ".h", ".cpp")
        + Tree.files("Benchmarks", ".py", ".c", ".h")
        + Tree.files("Tests/WeirPeers", ".py") + Tree.files("scripts", ".sh", ".py") + ["Package.swift", "Makefile"]
    private static let prose =
        Tree.files("docs", ".md") + Tree.files("examples", ".yaml", ".md") + Tree.files("changes", ".md")
        + Tree.files("deploy", ".yml", ".yaml", ".md", ".service") + ["README.md"]

    @Test("has no line of Swift longer than 120 characters")
    func lineLength() {
        #expect(Tree.sources.count > 50)
        for path in Tree.sources + Tree.tests + Tree.files("examples", ".swift") {
            for (number, line) in Tree.lines(path).enumerated()
            where line.utf8.count > 120 && line.count > 120 {
                Issue.record("\(path):\(number + 1) has \(line.count) characters")
            }
        }
    }

    @Test("has no leftovers: what is not done is left out, not marked")
    func noLeftovers() {
        // Written in two parts, so that this file does not find itself.
        let marks = [
            "TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "print(\"DE" + "BUG", "not yet imple" + "mented",
        ]
        for path in Self.ours {
            for (number, line) in Tree.lines(path).enumerated() {
                for mark in marks where line.contains(mark) { Issue.record("\(path):\(number + 1): \(line)") }
            }
        }
    }

    @Test("names no place of one machine")
    func noMachinePaths() {
        let places = ["/ho" + "me/", "/Us" + "ers/", "/ro" + "ot/", "/wo" + "rk/"]
        for path in Self.ours + Self.prose {
            for (number, line) in Tree.lines(path).enumerated() {
                for place in places where line.contains(place) { Issue.record("\(path):\(number + 1): \(line)") }
            }
        }
    }

    @Test("keeps no placeholder file in a room that has something else")
    func noPlaceholders() {
        for path in Tree.sources + Tree.tests where path.contains("Placeholder") {
            Issue.record("\(path) is left over")
        }
    }

    @Test("links only to pages that are there")
    func linksHold() {
        for path in Self.prose where path.hasSuffix(".md") {
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            for match in Tree.text(path).matches(of: /\]\(([^)#:\s]+)(#[^)]*)?\)/) {
                let target = (folder.isEmpty ? "" : folder + "/") + String(match.1)
                #expect(Tree.exists(target), "\(path) links to \(match.1), which is not there")
            }
        }
    }
}
