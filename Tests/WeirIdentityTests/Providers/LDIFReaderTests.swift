import Testing

@testable import WeirIdentity

@Suite("LDIF is read")
struct LDIFReaderTests {
    private func entries(_ text: String) throws -> [LDIFEntry] {
        var reader = LDIFReader(Array(text.utf8))
        var entries: [LDIFEntry] = []
        while let entry = try reader.next() { entries.append(entry) }
        return entries
    }

    private func trouble(_ text: String) -> LDIFReader.Trouble? {
        do {
            _ = try entries(text)
            return nil
        } catch {
            return error as? LDIFReader.Trouble
        }
    }

    @Test("with a version, comments, lines that go on, base64, both ends of lines and several blank lines")
    func all() throws {
        let read = try entries(
            """
            version: 1
            # people,
             and this comment goes on

            dn: uid=anna,ou=people,
             dc=example,dc=org\r
            cn: Anna\r
            # in between
            sn:: TcO8bGxlcg==
            description:  two
              words
            mail:


            dn:: dWlkPWLDtmIsZGM9eA==
            cn;lang-de: Böb
            photo:: //79

            """)
        #expect(read.map(\.name) == ["uid=anna,ou=people,dc=example,dc=org", "uid=böb,dc=x"])
        #expect(read.map(\.line) == [5, 15])
        #expect(read[0].attributes == ["cn": ["Anna"], "sn": ["Müller"], "description": ["two words"]])
        #expect(read[1].attributes == ["cn;lang-de": ["Böb"], "photo": ["//79"]], "what is no text stays base64")
    }

    @Test("without anything in it")
    func empty() throws {
        #expect(try entries("").isEmpty)
        #expect(try entries("version: 1\n").isEmpty)
        #expect(try entries("# nothing\n\n").isEmpty)
    }

    @Test(
        "and what is not a copy of a directory is refused by its line",
        arguments: [
            ("dn: dc=x\nchangetype: add\ncn: x\n", 2, "file of changes"),
            ("dn: dc=x\ncontrol: 1.2.3\n", 2, "file of changes"),
            ("dn: dc=x\nadd: cn\ncn: y\n-\n", 4, "file of changes"),
            ("dn: dc=x\njpegPhoto:< file:///etc/passwd\n", 2, "other files are not read"),
            ("dn: dc=x\ncn:: ???\n", 2, "not base64"),
            ("dn:: //79\n", 1, "not UTF-8"),
            ("cn: x\n", 1, "begins with `dn:`"),
            ("version: 2\n", 1, "version 1"),
            ("dn: dc=x\nhello\n", 2, "no `attribute: value`"),
            ("dn: dc=x\na b: c\n", 2, "no attribute"),
            ("dn: dc=x\ncn: x\ndn: dc=y\n", 3, "blank line is missing"),
        ])
    func refused(_ text: String, _ line: Int, _ part: String) throws {
        let trouble = try #require(self.trouble(text))
        #expect(trouble.line == line)
        #expect(trouble.text.contains(part), "\(trouble.text)")
        #expect(!trouble.isPassing)
    }

    @Test("and half a file is one that may still be written")
    func half() {
        #expect(trouble("dn: dc=x\ncn: An")?.isPassing == true)
        #expect(trouble("dn: dc=x\ncn: An\n") == nil)
    }

    @Test("back as it was written, whatever stands in a value")
    func roundTrip() throws {
        let values: [[UInt8]] = [
            Array("plain".utf8), Array(" begins with a space".utf8), Array(": and a colon".utf8), Array("ends ".utf8),
            Array("<url".utf8), Array("two\nlines".utf8), Array("Ж漢🙂".utf8), [0, 255, 10], [],
            Array(String(repeating: "long ", count: 60).utf8) + [0x2E], Array("#no comment".utf8),
        ]
        let entry = LDIFEntry(
            name: "cn=Ä b,dc=x", lines: values.map { LDIFEntry.Line(attribute: "description", value: $0) })
        let bytes = LDIFText.bytes(entry)
        #expect(bytes.split(separator: 10).allSatisfy { $0.count <= LDIFText.widthMost && $0.allSatisfy { $0 < 0x80 } })
        var reader = LDIFReader(bytes)
        let read = try #require(try reader.next())
        #expect(read.name == entry.name)
        #expect(read.lines == entry.lines)
        #expect(read.range == 0..<bytes.count)
    }

    @Test("and no bytes whatever stop the process")
    func garbage() {
        var random = SystemRandomNumberGenerator()
        let letters = Array("dn: :<\n\r #-=,;abcÄ\0".utf8)
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                letters[Int.random(in: letters.indices, using: &random)]
            }
            var reader = LDIFReader(Array("dn: dc=x\n".utf8) + bytes)
            while let entry = try? reader.next() { #expect(entry.range.upperBound <= bytes.count + 9) }
        }
    }
}
