package import Logging
import Synchronization
package import WeirWorld

/// Log lines for operators: a fixed sentence, then what varies as `key=value`; or one JSON object a line.
///
/// Control characters are escaped in both forms, so one message is one line whatever a peer sent (log injection).
package struct OperatorLog: LogHandler {
    package enum Format: String, Sendable, CaseIterable { case text, json }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let format: Format
    private let isColoured: Bool
    private let time: any TimeSource
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes one line with its line feed; called from any thread.
    package init(
        level: Logger.Level, format: Format, isColoured: Bool, time: any TimeSource,
        write: @escaping @Sendable (String) -> Void
    ) {
        logLevel = level
        self.format = format
        self.isColoured = isColoured
        self.time = time
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        // Sorted: dictionary order differs from process to process, and operators compare lines.
        let pairs = all.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let stamp = time.wall.description
        switch format {
        case .text: write(text(stamp, event.level, event.message.description, pairs))
        case .json: write(json(stamp, event.level, event.message.description, pairs))
        }
    }

    private func text(_ stamp: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]) -> String
    {
        var line = stamp + " " + coloured(level) + " " + OperatorLog.escaped(message)
        for (key, value) in pairs {
            let plain = OperatorLog.escaped(value)
            let needsQuotes = plain.isEmpty || plain.contains(" ") || plain.contains("=") || plain.contains("\"")
            line += " " + key + "=" + (needsQuotes ? "\"" + plain.replacing("\"", with: "\\\"") + "\"" : plain)
        }
        return line + "\n"
    }

    private func json(_ stamp: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]) -> String
    {
        var line = "{\"time\":\"\(stamp)\",\"level\":\"\(level.rawValue)\",\"message\":" + OperatorLog.quoted(message)
        for (key, value) in pairs { line += "," + OperatorLog.quoted(key) + ":" + OperatorLog.quoted(value) }
        return line + "}\n"
    }

    private func coloured(_ level: Logger.Level) -> String {
        let word = level.rawValue.padding(8)
        guard isColoured else { return word }
        let code =
            switch level {
            case .trace, .debug: "2"
            case .info: "0"
            case .notice: "36"
            case .warning: "33"
            case .error, .critical: "31"
            }
        return "\u{1B}[\(code)m\(word)\u{1B}[0m"
    }

    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar) {
                safe += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where isUnsafe(scalar): quoted += "\\u" + hex4(scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func hex4(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    // Controls end or recolour a line; the bidirectional overrides make it read as something else.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
