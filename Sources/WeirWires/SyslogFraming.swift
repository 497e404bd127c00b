#if canImport(Glibc)
    import Glibc
#endif

/// Where syslog messages begin and end in a TCP stream (RFC 6587), decided message by message, because senders differ
/// and some change their mind.
///
/// A message is octet-counted when it begins with a number without leading zero, a space and `<`: `34 <13>…`.
/// Everything else ends at a line feed. The `<` is asked for although the RFC does not: a line of text that begins with
/// a number must not swallow what follows it.
package enum SyslogFraming {
    package enum Step: Equatable {
        /// A whole message: its content, and where the next one begins.
        case message(Range<Int>, next: Int, isCounted: Bool)
        /// The bytes end before the message does.
        /// - Parameters:
        ///   - content: where its content begins, as far as that is known.
        ///   - length: what an octet-counted one says of its content.
        case incomplete(content: Int, length: Int?)
    }

    /// Largest length that is read as one: seven digits, 9,999,999 bytes.
    package static let digitsMost = 7

    /// What stands at `start`. The content of a message is without its terminator: line feed, carriage return and NUL
    /// at the end are taken off, because senders that count octets often send a line feed too.
    package static func step(in bytes: UnsafeRawBufferPointer, from start: Int) -> Step {
        guard start < bytes.count else { return .incomplete(content: start, length: nil) }
        let first = bytes[start]
        if first >= 0x31 && first <= 0x39 {
            switch header(in: bytes, from: start) {
            case .length(let length, let content):
                let end = content + length
                guard end <= bytes.count else { return .incomplete(content: content, length: length) }
                return .message(content..<trimmed(bytes, content, end), next: end, isCounted: true)
            case .unknown: return .incomplete(content: start, length: nil)
            case .none: break
            }
        }
        guard let end = lineFeed(in: bytes, from: start) else { return .incomplete(content: start, length: nil) }
        return .message(start..<trimmed(bytes, start, end), next: end + 1, isCounted: false)
    }

    /// Where the next line feed is.
    package static func lineFeed(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        guard let found = memchr(base + start, 0x0A, bytes.count - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private enum Header {
        case length(Int, content: Int)
        case none
        /// More bytes will tell.
        case unknown
    }

    private static func header(in bytes: UnsafeRawBufferPointer, from start: Int) -> Header {
        var length = 0
        var index = start
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            if index - start == digitsMost { return .none }
            length = length * 10 + Int(bytes[index] - 0x30)
            index += 1
        }
        guard index < bytes.count else { return .unknown }
        guard bytes[index] == 0x20 else { return .none }
        guard index + 1 < bytes.count else { return .unknown }
        return bytes[index + 1] == 0x3C ? .length(length, content: index + 1) : .none
    }

    /// The end of the content in `start..<end` without line feeds, carriage returns and NULs at its end.
    package static func trimmed(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var end = end
        while end > start, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D || bytes[end - 1] == 0 { end -= 1 }
        return end
    }
}
