import Testing
import WeirWires

@Suite("syslog framing")
struct SyslogFramingTests {
    private func contents(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { bytes in
            var found: [String] = []
            var offset = 0
            while case .message(let content, let next, _) = SyslogFraming.step(in: bytes, from: offset) {
                found.append(String(decoding: bytes[content], as: UTF8.self))
                offset = next
            }
            return found
        }
    }

    @Test(
        "Each message is framed in its own way",
        arguments: [
            ("<13>one\n<14>two\n", ["<13>one", "<14>two"]),
            ("7 <13>one7 <14>two", ["<13>one", "<14>two"]),
            ("7 <13>one\n", ["<13>one", ""]),
            ("8 <13>one\n<14>two\r\n9 <15>th\nree", ["<13>one", "<14>two", "<15>th\nre"]),
            ("12 angry men\n<13>one\n", ["12 angry men", "<13>one"]),
            ("2026-11-21 no priority\n", ["2026-11-21 no priority"]),
            ("012345678 <1>\n", ["012345678 <1>"]),
            ("123456789 <1>\n", ["123456789 <1>"]),
            ("<13>partial", []), ("99 <13>partial", []), ("99", []), ("99 ", []), ("", []), ("\n\n", ["", ""]),
        ])
    func framing(text: String, expected: [String]) {
        #expect(contents(text) == expected)
    }

    @Test("A counted message that is not there yet says how long it will be")
    func incomplete() {
        let bytes = Array("99 <13>partial".utf8)
        bytes.withUnsafeBytes { #expect(SyslogFraming.step(in: $0, from: 0) == .incomplete(content: 3, length: 99)) }
    }
}
