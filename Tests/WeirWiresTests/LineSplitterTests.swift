import NIOCore
import Testing
import WeirWires

@Suite("Lines, piece by piece")
struct LineSplitterTests {
    private struct TooLong: Error, Equatable { var line: Int }

    private func lines(_ text: String, cut: Int, most: Int = 100) throws -> [String] {
        var splitter = LineSplitter(most: most) { TooLong(line: $0) }
        var lines: [String] = []
        func take(_ line: UnsafeRawBufferPointer) throws(TooLong) {
            lines.append(String(decoding: line, as: UTF8.self))
        }
        let bytes = Array(text.utf8)
        try splitter.feed(ByteBuffer(bytes: bytes[..<cut]), take)
        try splitter.feed(ByteBuffer(bytes: bytes[cut...]), take)
        try splitter.finish(take)
        #expect(splitter.count == lines.count)
        return lines
    }

    @Test("They are the same wherever the bytes are cut, and without their ends")
    func pieces() throws {
        let text = "a\r\n\nbc\rd\n\r\nlast"
        for cut in 0...text.utf8.count {
            #expect(try lines(text, cut: cut) == ["a", "", "bc\rd", "", "last"], "\(cut)")
        }
        #expect(try lines("", cut: 0) == [])
        #expect(try lines("x\n", cut: 1) == ["x"])
    }

    @Test("A line that is too long is refused by its number, before its end has come or after", arguments: 0...9)
    func tooLong(cut: Int) throws {
        #expect(throws: TooLong(line: 2)) { try lines("ab\nabcdef", cut: cut, most: 5) }
        #expect(try lines("ab\nabcdef", cut: cut, most: 6) == ["ab", "abcdef"])
    }
}
