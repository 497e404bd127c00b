import Foundation
import NIOCore
import Testing
import WeirWires

@Suite("Base64, piece by piece")
struct Base64StreamTests {
    @Test("Base64 gives back what Foundation wrote, however it is cut, with escaped slashes")
    func base64() throws {
        for length in 0..<70 {
            let data = Data((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 251) })
            for text in [
                data.base64EncodedString(), data.base64EncodedString().replacingOccurrences(of: "/", with: "\\/"),
            ] {
                for cut in 0...text.utf8.count {
                    var stream = Base64Stream()
                    var decoded = ByteBuffer()
                    try feed(Array(text.utf8), [cut]) { try stream.decode($0, into: &decoded) }
                    try stream.finish()
                    #expect(Data(decoded.readableBytesView) == data)
                }
            }
        }
    }

    @Test(
        "Broken base64 is refused",
        arguments: ["A", "AB", "ABC", "AB=", "A===", "AB=C", "ABC=D", "AB CD", "ABC*", "AB==AB=="])
    func brokenBase64(text: String) {
        var isRefused = false
        do {
            var stream = Base64Stream()
            var decoded = ByteBuffer()
            try feed(Array(text.utf8), []) { try stream.decode($0, into: &decoded) }
            try stream.finish()
        } catch { isRefused = error is Base64Stream.Mistake }
        #expect(isRefused)
    }

    private func feed(_ bytes: [UInt8], _ cuts: [Int], _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var start = 0
        for end in cuts + [bytes.count] {
            try bytes[start..<end].withUnsafeBytes { try body($0) }
            start = end
        }
    }
}
