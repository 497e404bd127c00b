internal import WeirWorld

/// How many wrong links are looked at: whoever guesses is told to wait, and it is counted for an alert.
struct BadTokenLimit: Sendable {
    static let most = 30
    static let period = Duration.seconds(60)

    private(set) var total: UInt64 = 0
    private var inPeriod = 0
    private var began: Moment?

    /// - Returns: whether the visitor should wait: this one was too many.
    mutating func wrong(at now: Moment) -> Bool {
        total &+= 1
        if let began, now - began < Self.period {
            inPeriod += 1
        } else {
            (began, inPeriod) = (now, 1)
        }
        return inPeriod > Self.most
    }
}
