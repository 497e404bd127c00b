import Foundation
import NIOCore
import Testing
import WeirWires

@Suite("Character sets")
struct CharsetTests {
    private func read(_ bytes: [UInt8], declared: Charset? = nil, cut: Int) throws -> String {
        var decoder = CharsetDecoder(declared: declared)
        var text = ByteBuffer()
        for part in [bytes[..<cut], bytes[cut...]] {
            text.writeImmutableBuffer(try decoder.decode(ByteBuffer(bytes: part)))
        }
        text.writeImmutableBuffer(try decoder.finish())
        return String(buffer: text)
    }

    private static let text = "a{ü} €“ 𝄞 – z"

    @Test(
        "A text is the same in each of them, wherever its bytes are cut, with a byte order mark",
        arguments: [
            (String.Encoding.utf8, [0xEF, 0xBB, 0xBF]), (.utf16LittleEndian, [0xFF, 0xFE]),
            (.utf16BigEndian, [0xFE, 0xFF]),
        ] as [(String.Encoding, [UInt8])])
    func marks(encoding: String.Encoding, mark: [UInt8]) throws {
        let bytes = mark + Array(try #require(Self.text.data(using: encoding)))
        for cut in 0...bytes.count {
            // The mark is right where the sender is wrong.
            for declared in [nil, Charset.windows1252] {
                #expect(try read(bytes, declared: declared, cut: cut) == Self.text, "\(cut)")
            }
        }
    }

    @Test("Windows-1252 is read as Foundation writes it, byte by byte")
    func windows() throws {
        for byte in UInt8(0)...255 {
            guard let text = String(data: Data([0x61, 0x62, byte]), encoding: .windowsCP1252) else { continue }
            #expect(try read([0x61, 0x62, byte], declared: .windows1252, cut: 1) == text)
        }
        #expect(try read([0x80], declared: .windows1252, cut: 0) == "€")
    }

    @Test("An XML declaration says what the text is in, unless somebody has said it before")
    func declaration() throws {
        let bytes = Array("<?xml version='1.0' encoding=\"ISO-8859-1\"?><a>".utf8) + [0xFC]
        for cut in 0...bytes.count {
            #expect(try read(bytes, cut: cut).hasSuffix("<a>ü"))
            #expect(try read(bytes, declared: .utf8, cut: cut).hasSuffix("<a>\u{FFFD}"))
        }
        #expect(throws: CharsetDecoder.Unknown(label: "EBCDIC-X")) {
            try read(Array("<?xml encoding='EBCDIC-X'?>".utf8), cut: 3)
        }
    }

    @Test("Halves that stand alone become the sign for what cannot be read")
    func broken() throws {
        #expect(
            try read([0x00, 0xD8, 0x61, 0x00, 0x00, 0xDC], declared: .utf16LittleEndian, cut: 1) == "\u{FFFD}a\u{FFFD}")
        #expect(try read([0x61, 0x00, 0x00, 0xD8], declared: .utf16LittleEndian, cut: 3) == "a\u{FFFD}")
        #expect(try read([0x61, 0x00, 0x62], declared: .utf16LittleEndian, cut: 2) == "a\u{FFFD}")
        #expect(try read([], cut: 0).isEmpty)
    }

    @Test("A content type names it in several ways")
    func labels() {
        for (value, label) in [
            ("text/csv; charset=utf-8", "utf-8"), ("text/csv;header=present; CharSet = \"Latin1\"", "Latin1"),
            ("text/csv", nil), ("text/csv; charset=", nil),
        ] as [(String, String?)] {
            #expect(Charset.label(inContentType: value) == label)
        }
        #expect(Charset(label: "ISO-8859-1") == .windows1252 && Charset(label: "koi8-r") == nil)
    }
}
