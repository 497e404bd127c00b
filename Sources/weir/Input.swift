import ArgumentParser
import Glibc

/// What commands read: files, and what is piped in.
enum Input {
    /// Most bytes taken from a file or from standard input, 64 MiB: more is no single event.
    private static let bytesMost = 64 << 20

    static func file(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        return read(descriptor)
    }

    /// What is piped in; nothing when standard input is a terminal.
    static func piped() -> [UInt8] { isatty(STDIN_FILENO) == 1 ? [] : read(STDIN_FILENO) }

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
}
