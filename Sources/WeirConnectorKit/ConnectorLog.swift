internal import Glibc
internal import NIOCore
internal import WeirGates
internal import WeirWorld

/// What a connector says about its work: a line of JSON each on standard error, as pycti writes them.
///
/// ```json
/// {"timestamp":"2026-11-21T20:15:03.250Z","level":"INFO","name":"KEV","message":"…","attributes":{"count":1404}}
/// ```
public struct ConnectorLog: Sendable {
    public enum Level: Int, Sendable, Hashable, Comparable, CaseIterable {
        case debug, info, warning, error

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        init(text: String) throws(UnitTextProblem) {
            switch text.lowercased() {
            case "debug": self = .debug
            case "info": self = .info
            case "warning", "warn": self = .warning
            case "error", "critical": self = .error
            default:
                throw UnitTextProblem(
                    "`\(text.clipped)` is no level", help: "write debug, info, warning or error")
            }
        }

        var name: String { ["DEBUG", "INFO", "WARNING", "ERROR"][rawValue] }
    }

    let name: String
    let least: Level
    let time: any TimeSource
    /// Takes whole lines.
    let write: @Sendable (String) -> Void

    public func debug(_ message: String, _ attributes: JSONObject = [:]) { say(.debug, message, attributes) }
    public func info(_ message: String, _ attributes: JSONObject = [:]) { say(.info, message, attributes) }
    public func warning(_ message: String, _ attributes: JSONObject = [:]) { say(.warning, message, attributes) }
    public func error(_ message: String, _ attributes: JSONObject = [:]) { say(.error, message, attributes) }

    /// - Parameters:
    ///   - message: a fixed sentence.
    ///   - attributes: what varies.
    public func say(_ level: Level, _ message: String, _ attributes: JSONObject = [:]) {
        guard level >= least else { return }
        var line: JSONObject = [
            "timestamp": .string("\(time.wall)"), "level": .string(level.name), "name": .string(name),
            "message": .string(message),
        ]
        if !attributes.members.isEmpty { line["attributes"] = .object(attributes) }
        write(JSONValue.object(line).json + "\n")
    }

    /// Where nobody reads it, there is nobody to be told: a failed write is passed over.
    static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let start = rest.baseAddress, !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, start, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
