import Testing

@Suite("Every source and destination")
struct CatalogTests {
    struct Part: CustomTestStringConvertible {
        var path: String
        var room: String
        /// `TCPDestination`, declared in `TCPDestination.swift`.
        var name: String
        /// What the operator writes after `type:`.
        var type: String?
        var section: String
        var testDescription: String { name }
        var catalog: String { "Sources/\(room)/Catalog.swift" }
    }

    private static let parts: [Part] =
        parts(room: "WeirDestinations", ending: "Destination", section: "destinations")
        + parts(room: "WeirSources", ending: "Source", section: "sources")

    private static func parts(room: String, ending: String, section: String) -> [Part] {
        let files = Tree.sources.filter { $0.hasPrefix("Sources/\(room)/") }
        let whole = files.map(Tree.text).joined(separator: "\n")
        return files.filter { $0.hasSuffix("\(ending).swift") }.map { path in
            let name = String(path.split(separator: "/").last?.dropLast(".swift".count) ?? "")
            return Part(path: path, room: room, name: name, type: type(of: name, path, whole), section: section)
        }
    }

    /// The type's name stands in the catalogue's line (`SourceKind("tcp", TCPSource.Settings.self, …)`) or in the
    /// settings (`static let type = "tcp"`), which may be in a file beside the part's own.
    private static func type(of name: String, _ path: String, _ whole: String) -> String? {
        for match in whole.matches(of: /Kind\(\s*"(\w+)",\s*(\w+)\.Settings/) where match.2 == name {
            return String(match.1)
        }
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        let near = [path] + Tree.files(folder, ".swift").filter { $0.contains("/\(name)") && $0 != path }
        for file in near {
            if let match = Tree.text(file).firstMatch(of: /static (?:let|var) type(?::\s*String)?\s*(?:=|\{)\s*"(\w+)"/)
            {
                return String(match.1)
            }
        }
        return nil
    }

    @Test("stands in the catalogue of its room")
    func isInTheCatalog() {
        #expect(Self.parts.count >= 4)
        for part in Self.parts {
            #expect(Tree.text(part.catalog).contains("\(part.name).Settings"), "\(part.path) is not in \(part.catalog)")
        }
    }

    @Test("has an example that `weir check` reads")
    func hasAnExample() {
        var shown: Set<String> = []
        for path in Tree.files("examples", ".yaml") {
            var section = ""
            for line in Tree.lines(path) {
                if let match = line.firstMatch(of: /^(\w+):/) { section = String(match.1) }
                for match in line.matches(of: /\btype:\s*(\w+)/) { shown.insert("\(section).\(match.1)") }
            }
        }
        for part in Self.parts {
            #expect(part.type != nil, "\(part.path): what is written after `type:` was not found")
            guard let type = part.type else { continue }
            #expect(
                shown.contains("\(part.section).\(type)"),
                "no file in examples/ has a \(part.section) entry of type \(type)")
        }
    }

    /// Destinations that the contract cannot be asked of, and why.
    private static let outsideTheContract = [
        "DropDestination": "there is no receiver that could say what arrived",
        "RouterDestination": "it owns other destinations; the tests of routes cover it",
        "BalanceDestination": "it owns other destinations; the balancer's tests cover it",
        "FallbackDestination": "it owns other destinations; the tests of routes cover it",
    ]

    @Test("names itself to the contract suite of its room, a source to a test of its own")
    func hasAContract() {
        for part in Self.parts where Self.outsideTheContract[part.name] == nil {
            let wanted = part.room == "WeirDestinations" ? "Contract" : ".swift"
            let named = Tree.files("Tests/\(part.room)Tests", ".swift").contains { path in
                path.contains(wanted) && Tree.text(path).contains(part.name)
            }
            #expect(named, "\(part.name) is in no contract test of Tests/\(part.room)Tests")
        }
    }
}
