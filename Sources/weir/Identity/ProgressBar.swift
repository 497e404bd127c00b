import WeirConsole

/// A bar on a terminal; elsewhere nothing.
final class ProgressBar {
    private let out = Terminal.error
    private var isShown = false

    func show(_ progress: IdentityAPI.Progress) {
        guard out.isTerminal else { return }
        isShown = true
        out.write("\r\u{1B}[K" + Display.cut(SyncText.progress(progress), to: (out.size?.columns ?? 80) - 1))
    }

    func clear() {
        if isShown { out.write("\r\u{1B}[K") }
        isShown = false
    }
}
