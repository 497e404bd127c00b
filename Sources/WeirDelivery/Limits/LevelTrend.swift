package import WeirWorld

/// How fast a level rises or falls, measured: the mean of the last half minute, weighted so that older changes fade.
///
/// For levels whose speed cannot be computed from what goes in and out, such as the bytes of a compressed queue.
package struct LevelTrend: Sendable {
    /// A look more often than this says nothing new.
    private static let step = Duration.seconds(1)
    private static let fade = 15.0

    private var last: (level: Int64, at: Moment)?
    private var slope: Double?

    package init() {}

    package func wantsLook(at now: Moment) -> Bool { last.map { now >= $0.at + Self.step } ?? true }

    package mutating func saw(_ level: Int64, at now: Moment) {
        guard let last else {
            self.last = (level, now)
            return
        }
        guard now >= last.at + Self.step else { return }
        let seconds = (now - last.at).inSeconds
        let measured = (Double(level) - Double(last.level)) / seconds
        let share = min(1, seconds / Self.fade)
        slope = slope.map { $0 + (measured - $0) * share } ?? measured
        self.last = (level, now)
    }

    /// In units a second; `nil` until two looks were taken.
    package var perSecond: Double? { slope }

    /// How long until it has gone by `amount` at the present speed: up with a positive one, down with a negative;
    /// `nil` where it does not go there.
    package func time(for amount: Double) -> Duration? {
        guard let slope, slope != 0, amount == 0 || amount / slope > 0 else { return nil }
        return .milliseconds(Int64(min(1e12, amount / slope * 1000)))
    }
}
