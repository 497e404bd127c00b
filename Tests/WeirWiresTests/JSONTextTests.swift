import Foundation
import NIOCore
import Testing
import WeirWires
import WeirWorld

@Suite struct JSONTextTests {
    static func quoted(_ bytes: [UInt8]) -> String {
        var buffer = ByteBuffer()
        JSONText.write(ByteBuffer(bytes: bytes), to: &buffer)
        return String(buffer: buffer)
    }

    @Test(
        "Only what must be escaped is",
        arguments: [
            ("", "\"\""), ("plain", "\"plain\""), ("a\"b\\c", "\"a\\\"b\\\\c\""), ("\n\r\t", "\"\\n\\r\\t\""),
            ("\u{0}\u{1f}", "\"\\u0000\\u001f\""), ("grün 🙂 \u{2028}", "\"grün 🙂 \u{2028}\""),
        ])
    func escapes(text: String, expected: String) { #expect(Self.quoted(Array(text.utf8)) == expected) }

    @Test("Bytes that are no UTF-8 become U+FFFD each")
    func replacement() {
        #expect(Self.quoted([0x61, 0xFF, 0x62]) == "\"a\u{FFFD}b\"")
        #expect(Self.quoted([0xC3]) == "\"\u{FFFD}\"")
        #expect(Self.quoted([0xED, 0xA0, 0x80]) == "\"\u{FFFD}\u{FFFD}\u{FFFD}\"")
        #expect(Self.quoted([0xF0, 0x9F, 0x99]) == "\"\u{FFFD}\u{FFFD}\u{FFFD}\"")
    }

    @Test("Any bytes make a string that a JSON reader takes, and text comes back unchanged")
    func random() throws {
        var random = SplitMix(seed: 11)
        for round in 0..<2_000 {
            let count = Int(random.next() % 40)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> (round % 2 == 0 ? 0 : 58)) }
            let text = Self.quoted(bytes)
            let value = try JSONSerialization.jsonObject(with: Data("[\(text)]".utf8)) as? [String]
            if let whole = String(validating: bytes, as: UTF8.self) {
                #expect(value == [whole])
            } else {
                #expect(value?.count == 1)
            }
        }
    }
}
