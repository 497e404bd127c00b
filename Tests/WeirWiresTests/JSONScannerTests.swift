import Foundation
import Testing
import WeirWires

@Suite("JSON, piece by piece")
struct JSONScannerTests {
    @Test("The scanner takes and refuses what Foundation does")
    func grammar() {
        let texts = [
            "0", "-0", "01", "1.", ".5", "1e", "1e+", "1E-3", "-", "tru", "true", "nul", "null ", "\"", "\"\\u12\"",
            "\"\\u12aF\"", "\"\\x\"", "\"a\tb\"", "[,1]", "{\"a\"}", "{1:2}", "[1 2]", "[[[]]]",
            "{\"a\":{\"b\":[]}}", "]", "{]", "[}", "1 1", "[1e5]", "[-1.5E+10,true]", "\u{7f}", "{\"\":\"\"}", " [ ] ",
        ]
        for text in texts {
            var scanner = JSONScanner()
            let isTaken = Array(text.utf8).withUnsafeBytes { bytes in
                var index = 0
                do {
                    while try scanner.next(bytes, &index) != nil {}
                    try scanner.finish()
                    return true
                } catch { return false }
            }
            let isJSON = (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
            #expect(isTaken == isJSON, "\(text)")
        }
    }

    @Test("Depth is bounded")
    func depth() {
        var scanner = JSONScanner()
        let isRefused = [UInt8](repeating: 0x5B, count: 1_000).withUnsafeBytes { bytes in
            var index = 0
            do { while try scanner.next(bytes, &index) != nil {} } catch { return true }
            return false
        }
        #expect(isRefused && scanner.depth == JSONScanner.depthMost)
    }
}
