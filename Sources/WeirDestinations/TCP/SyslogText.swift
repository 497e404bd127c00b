import NIOCore
import WeirFlow
import WeirSettings
import WeirWorld

package enum SyslogFormat: String, SettingChoice, Sendable {
    case rfc5424, rfc3164

    package var help: String {
        switch self {
        case .rfc5424: "`<13>1 2026-11-21T13:03:21.250Z host app - - - message`."
        case .rfc3164: "`<13>Nov 21 13:03:21 host app: message`; the old form, without year and zone (UTC is written)."
        }
    }
}

package enum SyslogFraming: String, SettingChoice, Sendable {
    case newline
    case octetCounting = "octet_counting"

    package var help: String {
        switch self {
        case .newline: "A line feed after each message (RFC 6587 3.4.2); line feeds inside are written as `\\n`."
        case .octetCounting: "The length before each message (RFC 6587 3.4.1); messages may contain line feeds."
        }
    }
}

/// Events as syslog messages. What came in as syslog goes out as it was; all else gets a header.
struct SyslogText: Sendable {
    var format: SyslogFormat
    var facility: Int
    var severity: Int
    var host: String
    var app: String

    /// What stands before the event; the same for a whole batch.
    func header(_ context: BatchContext) -> ByteBuffer {
        if context.kind == .syslog { return ByteBuffer() }
        let priority = facility * 8 + severity
        let host = SyslogText.word(context.attributes["host"] ?? self.host, most: 255)
        let app = SyslogText.word(self.app, most: 48)
        switch format {
        case .rfc5424: return ByteBuffer(string: "<\(priority)>1 \(context.received) \(host) \(app) - - - ")
        case .rfc3164:
            return ByteBuffer(string: "<\(priority)>\(SyslogText.oldStamp(context.received)) \(host) \(app): ")
        }
    }

    /// `Nov  1 13:03:21`, RFC 3164 section 4.1.2.
    static func oldStamp(_ wall: WallTime) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let date = CivilDate(wall)
        return months[date.month - 1] + (date.day < 10 ? "  " : " ") + "\(date.day) " + date.clockText
    }

    /// Only printable ASCII may stand in a header (RFC 5424 section 6); `-` is nothing.
    static func word(_ text: String, most: Int) -> String {
        let word = String(decoding: text.utf8.filter { $0 > 0x20 && $0 < 0x7F }.prefix(most), as: UTF8.self)
        return word.isEmpty ? "-" : word
    }

    func bytes(of batch: Batch, framing: SyslogFraming) -> ByteBuffer {
        let header = header(batch.context)
        if framing == .newline, header.readableBytes == 0 { return LineFormat.lines.bytes(of: batch) }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(batch.byteCount + batch.count * (header.readableBytes + 8))
        if framing == .newline {
            writeLines(batch, header, &bytes)
        } else {
            writeCounted(batch, header, &bytes)
        }
        return bytes
    }

    private func writeLines(_ batch: Batch, _ header: ByteBuffer, _ bytes: inout ByteBuffer) {
        let lines = LineFormat.lines
        for index in 0..<batch.count {
            bytes.writeImmutableBuffer(header)
            if batch.framing == .newline {
                bytes.writeImmutableBuffer(batch.event(at: index))
                bytes.writeInteger(0x0A as UInt8)
            } else {
                bytes.writeImmutableBuffer(lines.bytes(of: batch.slice(index..<(index + 1))))
            }
        }
    }

    private func writeCounted(_ batch: Batch, _ header: ByteBuffer, _ bytes: inout ByteBuffer) {
        for index in 0..<batch.count {
            let event = batch.event(at: index)
            bytes.writeString("\(header.readableBytes + event.readableBytes) ")
            bytes.writeImmutableBuffer(header)
            bytes.writeImmutableBuffer(event)
        }
    }

    func datagrams(of batch: Batch, most: Int) -> [ByteBuffer] {
        let header = header(batch.context)
        return (0..<batch.count).map { index in
            if header.readableBytes == 0 { return Datagram.cut(batch.event(at: index), most: most) }
            var message = header
            message.writeImmutableBuffer(batch.event(at: index))
            return Datagram.cut(message, most: most)
        }
    }
}
