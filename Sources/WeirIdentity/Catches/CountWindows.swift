package import WeirWorld

/// What `Count(expr, "context", period)` answers during one sync: how often it was asked with true in the context's
/// window. The windows begin empty in every sync, are shared by all rules that name the same context, start with their
/// first increment, and begin anew when `now - start >= period`.
package struct CountWindows: Sendable {
    private struct Window {
        var start: WallTime
        var count: Int64
    }

    private var windows: [String: Window] = [:]

    package init() {}

    /// - Parameter isTrue: what the Boolean gave; false changes nothing.
    /// - Returns: the count after it; it goes on past every limit.
    package mutating func count(_ context: String, isTrue: Bool, period: Duration, now: WallTime) -> Int64 {
        var window = windows[context] ?? Window(start: now, count: 0)
        // A clock that was put back begins no window anew and makes none endless.
        window.start = min(window.start, now)
        if window.count > 0, now - window.start >= period { window = Window(start: now, count: 0) }
        if isTrue {
            if window.count == 0 { window.start = now }
            window.count += 1
        }
        windows[context] = window
        return window.count
    }
}
