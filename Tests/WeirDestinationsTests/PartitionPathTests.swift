import Testing
import WeirDestinations
import WeirWorld

@Suite struct PartitionPathTests {
    @Test(
        "Known texts give known directories",
        arguments: [
            ("2026/11/21", "2026/11/21"), ("", ""), ("/", ""), ("a//b/", "a/b"), ("/etc/passwd", "etc/passwd"),
            ("../../etc", "%2E%2E/%2E%2E/etc"), ("..", "%2E%2E"), (".", "%2E"), ("...", "%2E%2E%2E"),
            (".ssh", "%2Essh"), ("a..b", "a..b"),
            ("%2e%2e", "%252e%252e"), ("..%2f", "%2E.%252f"), ("a\u{0}b", "a%00b"), ("grün", "gr%C3%BCn"),
            ("a\\b", "a%5Cb"), ("a b\n", "a%20b%0A"),
            ("~", "%7E"), ("-rf", "-rf"), ("level=error", "level=error"),
        ])
    func known(text: String, expected: String) { #expect(PartitionPath(text).text == expected) }

    @Test("Long and deep texts stay apart and within bounds")
    func bounds() {
        let long = String(repeating: "a", count: 5_000)
        let one = PartitionPath(long + "1")
        let two = PartitionPath(long + "2")
        #expect(one != two)
        #expect(one.components.count == 1)
        #expect(one.text.utf8.count == 128)
        let deep = PartitionPath(Array(repeating: "..", count: 500).joined(separator: "/"))
        #expect(deep.components.count == 10)
    }

    @Test("Nothing that an event can hold makes a component that leads anywhere")
    func fuzz() {
        var random = SplitMix(seed: 2026)
        let pieces = [
            "..", ".", "/", "//", "%2e", "%2E%2E", "%2f", "\u{0}", "\\", "~", "é", "\u{202E}", "e\u{301}", "日本",
            " ",
            "\n", "a", "C:", "-", "%", String(repeating: "x", count: 300),
        ]
        var seen: [String: String] = [:]
        for _ in 0..<50_000 {
            var text = ""
            for _ in 0..<(1 + random.next() % 8) {
                if random.next() % 4 == 0 {
                    text += String(
                        decoding: (0..<4).map { _ in UInt8(truncatingIfNeeded: random.next()) }, as: UTF8.self)
                } else {
                    text += pieces[Int(random.next() % UInt64(pieces.count))]
                }
            }
            let path = PartitionPath(text)
            #expect(path.components.count <= 10)
            for component in path.components {
                let isGood =
                    !component.isEmpty && !component.hasPrefix(".") && component.utf8.count <= 128
                    && component.utf8.allSatisfy {
                        ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                            || "-_=+@,.:%~".utf8.contains($0)
                    }
                if !isGood { Issue.record("\(text.debugDescription) gives \(component.debugDescription)") }
            }
            // Apart from empty components, nothing falls together.
            let plain = text.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }.joined(separator: "/")
            if plain.utf8.count < 40, let other = seen.updateValue(plain, forKey: path.text), other != plain {
                Issue.record("\(plain.debugDescription) and \(other.debugDescription) share \(path.text)")
            }
        }
    }
}
