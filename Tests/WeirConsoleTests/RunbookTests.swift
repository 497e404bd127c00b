import Foundation
import Testing

@testable import WeirConsole

@Suite("Runbooks")
struct RunbookTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: Self.root.appendingPathComponent(path)), as: UTF8.self)
    }

    /// As a link to it is written.
    private func anchor(_ heading: some StringProtocol) -> String {
        heading.lowercased().replacing(" ", with: "-").filter { $0.isLetter || $0.isNumber || $0 == "-" }
    }

    @Test("Every section that a trouble leads to is on the page, with what is seen, why, and what to do")
    func sections() throws {
        let parts = try text("docs/runbooks/connectors.md").split(separator: "\n## ").dropFirst()
        var found: [String: String] = [:]
        for part in parts { found[anchor(part.prefix { $0 != "\n" })] = String(part) }
        for (code, section) in Runbook.sections {
            let part = try #require(found[section], "\(code) leads to \(section), which is not there")
            for word in ["**What you see.**", "**Why.**", "**What to do.**"] {
                #expect(part.contains(word), "\(section)")
            }
        }
        for topic in ["dead-letters", "wrong-token"] { #expect(found[topic] != nil) }
    }

    /// Reasons that need no person: nothing is held, or a person did it.
    private static let harmless: Set<String> = ["open", "filling", "paused"]
    /// A raw value of an enumeration whose cases become reasons.
    private static let isEnumerated = "Reason(code.rawValue"

    @Test("Every reason that a connector or its gate can have leads to a section")
    func codes() throws {
        let made = /(?:Reason|RunFailure|Trouble|BundleMistake|self\.init)\(\s*"([a-z_0-9]+)"/
        let named = /case [a-z]+[A-Za-z]* = "([a-z_0-9]+)"/
        var codes: Set<String> = []
        for folder in [
            "Sources/WeirCalls", "Sources/WeirConnectors", "Sources/WeirNode/Connectors", "Sources/WeirGates/Kinds",
        ] {
            let files = FileManager.default.enumerator(atPath: Self.root.appendingPathComponent(folder).path)
            while let file = files?.nextObject() as? String {
                guard file.hasSuffix(".swift") else { continue }
                let source = try text("\(folder)/\(file)")
                for match in source.matches(of: made) { codes.insert(String(match.1)) }
                guard source.contains(Self.isEnumerated) else { continue }
                for match in source.matches(of: named) { codes.insert(String(match.1)) }
            }
        }
        let some: Set = ["stale_ping", "queue_threshold", "connect_refused", "exec_exit", "broker_tls", "invalid_json"]
        #expect(codes.isSuperset(of: some))
        for code in codes.subtracting(Self.harmless).sorted() {
            #expect(Runbook.connector(code) != nil, "\(code) has no section in docs/runbooks/connectors.md")
        }
    }

    @Test("What a gate's runbook is follows from what it does")
    func gates() throws {
        #expect(Runbook.gate(.siem) == "docs/runbooks/queueing.md")
        #expect(Runbook.gate(.relay) == "docs/runbooks/blocking.md")
        #expect(Runbook.gate(.archive) == nil)
        for page in ["queueing.md", "blocking.md", "suspended.md", "disk_full.md"] {
            #expect(!(try text("docs/runbooks/\(page)")).isEmpty)
        }
    }
}
