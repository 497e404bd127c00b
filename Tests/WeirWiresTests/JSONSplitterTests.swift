import NIOCore
import Testing
import WeirWires
import WeirWorld

@Suite("JSON splitter")
struct JSONSplitterTests {
    private func values(_ text: String) -> ([String], JSONSplitter.Mistake?) {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { bytes in
            let values = JSONSplitter.values(in: bytes)
            return (values.ranges.map { String(decoding: bytes[$0], as: UTF8.self) }, values.mistake)
        }
    }

    @Test(
        "Values are found in arrays and one after the other",
        arguments: [
            ("", []), ("  ", []), ("[]", []), ("{}", ["{}"]), ("[{},{}]", ["{}", "{}"]),
            ("{}{}\n{}", ["{}", "{}", "{}"]),
            ("[1, \"a]\", {\"b\":[\"\\\"}\"]} , null]", ["1", "\"a]\"", "{\"b\":[\"\\\"}\"]}", "null"]),
            ("1 2,3", ["1", "2", "3"]), ("\"\\\\\" true", ["\"\\\\\"", "true"]),
        ])
    func found(text: String, expected: [String]) {
        let (found, mistake) = values(text)
        #expect(found == expected)
        #expect(mistake == nil)
    }

    @Test(
        "Where the text stops being JSON is said",
        arguments: [
            ("{", 0, 0), ("[{},", 1, 4), ("[{}] x", 1, 5), ("{} x", 1, 3), ("\"a", 0, 0), ("[\"\\", 0, 1), ("]", 0, 0),
            ("{}}", 1, 2),
        ])
    func mistakes(text: String, before: Int, offset: Int) {
        let mistake = values(text).1
        #expect(mistake?.valuesBefore == before)
        #expect(mistake?.offset == offset)
    }

    @Test("Cut anywhere, a text has the same values and the same mistake")
    func pieces() {
        var random = SplitMix(seed: 11)
        let parts = ["{", "}", "[", "]", "\"", "\\", "\\\"", ",", ":", " ", "\n", "1", "true", "a", "{\"k\":[1]}", "é"]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                parts[Int.random(in: 0..<parts.count, using: &random)]
            }.joined()
            let bytes = Array(text.utf8)
            let (whole, mistake) = values(text)
            var stream = JSONValueStream()
            var found: [String] = []
            var rest: [UInt8] = []
            var start = 0
            repeat {
                let end = min(start + Int.random(in: 1...4, using: &random), bytes.count)
                rest += bytes[start..<end]
                start = end
                rest.withUnsafeBytes { bytes in
                    stream.scan(bytes, isLast: end == text.utf8.count) {
                        found.append(String(decoding: bytes[$0], as: UTF8.self))
                    }
                }
                rest.removeFirst(stream.consumed)
            } while start < bytes.count
            #expect(found == whole && stream.mistake == mistake, "\(text.debugDescription)")
        }
    }

    @Test("A value that is too long is passed over without being kept")
    func tooLong() {
        var stream = JSONValueStream(valueMost: 100)
        var found: [Int] = []
        var most = 0
        var rest: [UInt8] = []
        func feed(_ text: String, isLast: Bool = false) {
            rest += Array(text.utf8)
            rest.withUnsafeBytes { bytes in stream.scan(bytes, isLast: isLast) { found.append($0.count) } }
            rest.removeFirst(stream.consumed)
            most = max(most, rest.count)
        }
        feed("[{\"a\":1},{\"b\":\"")
        for _ in 0..<1_000 { feed("0123456789\\\"}]") }
        feed("\"},{\"c\":2}]", isLast: true)
        #expect(found == [7, 7])
        #expect(stream.tooLong == 1 && stream.count == 3 && stream.mistake == nil)
        #expect(most <= 100)
    }

    @Test("A million brackets cost no stack")
    func deep() {
        let (found, mistake) = values(String(repeating: "[", count: 1_000_000))
        #expect(found.isEmpty && mistake != nil)
        #expect(
            values("{\"a\":" + String(repeating: "[", count: 500_000) + String(repeating: "]", count: 500_000) + "}").0
                .count == 1)
    }

    @Test("Strings lose their escapes")
    func texts() {
        let cases: [(String, String?)] = [
            (#""plain""#, "plain"), (#""\n\t\"\\\/\b\f\r""#, "\n\t\"\\/\u{8}\u{c}\r"), (#""\u00e9\ud83d\ude00""#, "é😀"),
            (#""\ud83d x""#, "\u{FFFD} x"), (#""\ude00""#, "\u{FFFD}"), (#""\x""#, nil), (#""\u12""#, nil),
            (#""\""#, nil), ("x", nil),
            (#""\ud83d\u0041""#, "\u{FFFD}A"), ("\"\"", ""),
        ]
        for (json, text) in cases {
            let bytes = Array(json.utf8)
            #expect(bytes.withUnsafeBytes { JSONSplitter.text(of: $0).map { String(buffer: $0) } } == text, "\(json)")
        }
    }

    @Test("Members of an object, and nothing of what is none")
    func members() {
        let bytes = Array(#" { "a" : 1 , "b\"" : {"c":[2]}} "#.utf8)
        let found = bytes.withUnsafeBytes { bytes in
            JSONSplitter.members(of: bytes)?.map {
                String(decoding: bytes[$0.key], as: UTF8.self) + "=" + String(decoding: bytes[$0.value], as: UTF8.self)
            }
        }
        #expect(found == ["a=1", #"b\"={"c":[2]}"#])
        for text in ["", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{} x", "{\"a\":1 \"b\":2}"] {
            let bytes = Array(text.utf8)
            #expect(bytes.withUnsafeBytes { JSONSplitter.members(of: $0) } == nil, "\(text)")
        }
    }

    @Test("Any bytes: ranges rise, lie within, and nothing crashes")
    func anything() {
        var random = SplitMix(seed: 11)
        let alphabet = Array("{}[]\"\\,:1tfnu ud8\n".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            bytes.withUnsafeBytes { bytes in
                var last = 0
                for range in JSONSplitter.values(in: bytes).ranges {
                    #expect(range.lowerBound >= last && range.upperBound <= bytes.count && !range.isEmpty)
                    last = range.upperBound
                }
                _ = JSONSplitter.members(of: bytes)
                _ = JSONSplitter.text(of: bytes)
            }
        }
    }
}
