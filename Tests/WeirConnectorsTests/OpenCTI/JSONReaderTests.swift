import NIOCore
import Testing
import WeirWires

@testable import WeirConnectors

@Suite("JSON of requests")
struct JSONReaderTests {
    private func read(_ text: String) -> GraphValue? { try? JSONReader.read(ByteBuffer(string: text)) }

    @Test("is read whole, with every kind of value")
    func values() {
        let value = read(
            #" {"a" : [1, -2.5e1, true, false, null, "x\u00e9\ud83d\ude00\n"], "b":{}, "a2":12345678901234567890} "#)
        #expect(value?["a"] == .list([.int(1), .number(-25), .bool(true), .bool(false), .null, .string("xé😀\n")]))
        #expect(value?["b"] == .object([GraphValue.Member]()))
        #expect(value?["a2"] == .number(12_345_678_901_234_567_168))
    }

    @Test(
        "is refused when it is not JSON",
        arguments: [
            "", "{", "[1,]", "{,}", #"{"a"}"#, #"{"a":}"#, "01", "1.", "1e", "-", "+1", "tru", "nul", #""open"#,
            "\"\u{1}\"",
            #""\x""#, #""\u12g4""#, "1 2", "{} x", #"{"a":1 "b":2}"#, "[1 2]", "NaN",
        ])
    func refusals(text: String) { #expect(read(text) == nil) }

    @Test("has a limit of depth, so that brackets do not use up the stack")
    func depth() {
        #expect(read(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) != nil)
        #expect(read(String(repeating: "[", count: 100_000)) == nil)
    }

    @Test("that is not UTF-8 is refused")
    func encoding() {
        #expect((try? JSONReader.read(ByteBuffer(bytes: [0x22, 0xFF, 0x22]))) == nil)
    }

    @Test("strings come out the same wherever they are cut", arguments: 1...7)
    func unescaping(size: Int) throws {
        let inside = #"a\"b\\c\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00\ud83dx\ude00\ud83d\ud83d\ude00 é😀"#
        let bytes = Array((inside + "\"rest").utf8)
        var unescaper = JSONUnescaper()
        var out = ByteBuffer()
        var taken = 0
        while taken < bytes.count, !unescaper.isAtEnd {
            let piece = Array(bytes[taken..<min(taken + size, bytes.count)])
            taken += try piece.withUnsafeBytes { try unescaper.take($0, into: &out) }
        }
        #expect(unescaper.isAtEnd && taken == inside.utf8.count + 1)
        #expect(String(buffer: out) == "a\"b\\c/\u{8}\u{c}\n\r\tAé😀\u{FFFD}x\u{FFFD}\u{FFFD}😀 é😀")
    }
}
