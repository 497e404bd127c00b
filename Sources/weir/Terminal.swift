import FoundationEssentials
import Glibc
import WeirConsole

/// Where the output goes: what it can show, and writing to it. Colours only on a terminal that has them, and never
/// with `NO_COLOR`.
struct Terminal: Sendable {
    static let out = Terminal(descriptor: 1)
    static let error = Terminal(descriptor: 2)

    let descriptor: Int32
    let isTerminal: Bool
    let hasColours: Bool
    /// True where signs beyond ASCII can be shown.
    let hasSigns: Bool

    init(descriptor: Int32, environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        let isPlain = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        hasColours = isTerminal && !isPlain
        let locale = environment["LC_ALL"] ?? environment["LC_CTYPE"] ?? environment["LANG"] ?? ""
        hasSigns = isTerminal && environment["TERM"] != "dumb" && locale.uppercased().contains("UTF")
    }

    /// Columns and rows; `nil` for a pipe or a file.
    var size: (columns: Int, rows: Int)? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    func line(_ text: String) { write(text + "\n") }

    /// Writes all of it, at once, past the C library's buffers. When nobody reads any more there is nothing left to do.
    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let base = rest.baseAddress, !rest.isEmpty {
                let count = Glibc.write(descriptor, base, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EPIPE { exit(0) }
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            }
        }
    }

    func table(_ table: TextTable) {
        for text in table.lines(width: size?.columns, hasColours: hasColours) { line(text) }
    }
}
