import Glibc
import Synchronization

/// The whole terminal for a while: a second screen without a cursor, and keys that are not echoed. `close` brings back
/// what was there, also after Ctrl-C or a signal, which only ask to leave.
struct Screen: Sendable {
    private static let isAsked = Atomic<Bool>(false)

    private let out: Terminal
    /// How the keyboard was set; `nil` where standard input is none.
    private let before: termios?

    init(_ out: Terminal) {
        self.out = out
        var mode = termios()
        if isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &mode) == 0 {
            before = mode
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
            // A read returns at once with what there is.
            withUnsafeMutableBytes(of: &mode.c_cc) { keys in
                keys[Int(VMIN)] = 0
                keys[Int(VTIME)] = 0
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        } else {
            before = nil
        }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { _ in Screen.isAsked.store(true, ordering: .relaxed) }
        }
        out.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[H\u{1B}[J")
    }

    /// Whether a person pressed q, or a signal asked to leave.
    var isLeft: Bool {
        if Self.isAsked.load(ordering: .relaxed) { return true }
        guard before != nil else { return false }
        var key: UInt8 = 0
        while read(STDIN_FILENO, &key, 1) == 1 {
            if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") || key == 3 { return true }
        }
        return false
    }

    func close() {
        out.write("\u{1B}[?25h\u{1B}[?1049l")
        if var before { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
    }
}
