import ArgumentParser
import Glibc
import WeirWorld

/// The process's own streams and variables.
enum Stdio {
    /// Most bytes taken from a file or from standard input, 64 MiB: more is no single event.
    private static let bytesMost = 64 << 20

    static var environment: [String: String] {
        var result: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let cut = text.firstIndex(of: "=") { result[String(text[..<cut])] = String(text[text.index(after: cut)...]) }
            next += 1
        }
        return result
    }

    static func write(_ text: String) { put(text, STDOUT_FILENO) }
    static func writeError(_ text: String) { put(text, STDERR_FILENO) }

    /// Colours only where a person looks: on a terminal that is not dumb, unless NO_COLOR says no (no-color.org).
    static func colours(_ descriptor: Int32) -> Bool {
        let variables = environment
        return isatty(descriptor) == 1 && variables["TERM"] != "dumb" && (variables["NO_COLOR"] ?? "").isEmpty
    }

    static func contents(ofFile path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno))).") }
        defer { close(descriptor) }
        return read(descriptor)
    }

    /// What is piped in; nothing when standard input is a terminal.
    static func standardInput() -> [UInt8] { isatty(STDIN_FILENO) == 1 ? [] : read(STDIN_FILENO) }

    private static func read(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < bytesMost {
            let count = Glibc.read(descriptor, &part, part.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += part[..<count]
        }
        return bytes
    }

    private static func put(_ text: String, _ descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // A reader that has gone (`weir get gates | head`) is no failure.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
