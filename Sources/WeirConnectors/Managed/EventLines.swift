import NIOCore
import WeirGates
import WeirWires

/// Gathers events as lines: checks that each is one JSON object, and puts it on one line.
struct EventLines {
    private(set) var buffer = ByteBuffer()
    private(set) var count = 0

    /// - Returns: false where the bytes are not one JSON object.
    mutating func add(_ object: UnsafeRawBufferPointer) -> Bool {
        guard let first = object.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{"),
            Self.isOneValue(object)
        else { return false }
        addTrusted(object)
        return true
    }

    /// An object that was cut out of JSON, or made here.
    mutating func addTrusted(_ object: UnsafeRawBufferPointer) {
        count += 1
        let start = buffer.writerIndex
        buffer.writeBytes(object)
        // Between the parts of a JSON text a line end means nothing, and inside of strings there is none.
        buffer.withUnsafeMutableReadableBytes { bytes in
            for index in start..<bytes.count where bytes[index] == 0x0A || bytes[index] == 0x0D {
                bytes[index] = 0x20
            }
        }
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    mutating func take() -> (lines: ByteBuffer, count: Int) {
        defer {
            buffer = ByteBuffer()
            count = 0
        }
        return (buffer, count)
    }

    private static func isOneValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner()
        do throws(JSONScanner.Mistake) {
            var index = 0
            while try scanner.next(bytes, &index) != nil {}
            try scanner.finish()
            return true
        } catch { return false }
    }
}

/// The beginning of something that was not understood, for a sentence.
func excerpt(_ bytes: UnsafeRawBufferPointer) -> String {
    let text = String(decoding: bytes.prefix(200), as: UTF8.self)
    let clean = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
    return String(clean).split(separator: " ").joined(separator: " ").clipped
}
