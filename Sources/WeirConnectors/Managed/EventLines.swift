import NIOCore
import WeirCalls
import WeirWires

/// Gathers events as lines: checks that each is one JSON object, and puts it on one line.
struct EventLines {
    private(set) var buffer = ByteBuffer()
    private(set) var count = 0

    /// - Returns: false where the bytes are not one JSON object.
    mutating func add(_ object: UnsafeRawBufferPointer) -> Bool {
        guard let first = object.first(where: { $0 > 0x20 }), first == UInt8(ascii: "{"),
            JSONScanner.isValue(object)
        else { return false }
        addTrusted(object)
        return true
    }

    /// An object that was cut out of JSON, or made here.
    mutating func addTrusted(_ object: UnsafeRawBufferPointer) {
        count += 1
        JSONSplitter.writeOnOneLine(object, to: &buffer)
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    mutating func take() -> (lines: ByteBuffer, count: Int) {
        defer {
            buffer = ByteBuffer()
            count = 0
        }
        return (buffer, count)
    }
}

/// The beginning of something that was not understood, for a sentence.
func excerpt(_ bytes: UnsafeRawBufferPointer) -> String { AnswerText.clean(bytes, most: 60) }
