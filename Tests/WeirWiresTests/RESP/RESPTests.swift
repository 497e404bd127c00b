import Testing
import WeirWorld

@testable import WeirWires

@Suite("Redis' protocol")
struct RESPTests {
    private static let answers: [(String, RESPValue)] = [
        ("+OK\r\n", .text(Array("OK".utf8))),
        ("-WRONGPASS no\r\n", .failure("WRONGPASS no")),
        (":-12\r\n", .number(-12)),
        ("$5\r\na\r\nbc\r\n", .text(Array("a\r\nbc".utf8))),
        ("$0\r\n\r\n", .text([])),
        ("$-1\r\n", .none),
        ("*-1\r\n", .none),
        ("*0\r\n", .list([])),
        (
            "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*0\r\n+y\r\n",
            .list([
                .number(1), .list([.text([120]), .list([])]), .text([121]),
            ])
        ),
    ]

    @Test("Answers are read, whole or byte by byte", arguments: [1, 2, 3, 7, 1_000])
    func reads(piece: Int) throws {
        let bytes = Array(Self.answers.map(\.0).joined().utf8)
        var reader = RESPReader()
        var found: [RESPValue] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            reader.add(bytes[start..<min(start + piece, bytes.count)])
            while let value = try reader.next() { found.append(value) }
        }
        #expect(found == Self.answers.map(\.1))
    }

    @Test(
        "What is no answer is a mistake",
        arguments: [
            "hello\r\n", "\r\n", "$x\r\n", ":1x\r\n", "$99999999999\r\n", "*99999999\r\n",
            String(repeating: "*1\r\n", count: 20), "+" + String(repeating: "a", count: 70_000),
        ])
    func mistakes(text: String) {
        var reader = RESPReader()
        reader.add(text.utf8)
        #expect(throws: RESPReader.Mistake.self) { while try reader.next() != nil {} }
    }

    @Test("Garbage neither crashes nor hangs", arguments: 0..<200)
    func garbage(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var reader = RESPReader()
        let alphabet = Array("+-:$*0129\r\n\r\n\r\nax".utf8)
        for _ in 0..<50 {
            reader.add((0..<20).map { _ in alphabet[Int.random(in: alphabet.indices, using: &random)] })
            do {
                while try reader.next() != nil {}
            } catch {
                return
            }
        }
    }

    @Test("A command is an array of strings, whatever is in them")
    func command() throws {
        let bytes = RESPValue.command([Array("SET".utf8), [13, 10, 0], []])
        #expect(bytes == Array("*3\r\n$3\r\nSET\r\n$3\r\n\r\n\0\r\n$0\r\n\r\n".utf8))
        var reader = RESPReader()
        reader.add(bytes)
        #expect(try reader.next()?.list?.count == 3)
    }
}
