package import WeirWorld

/// A bandwidth limit as a value: bytes a second, reserved in the order in which they are asked for.
///
/// Whoever wants to send reserves first and waits until its time has come; so all who share a bucket are served in turn
/// by the piece, nobody asks twice, and the sum is exact:
///
///     bytes that have gone by t  ≤  rate · (t − t₀)  +  burst  +  one piece
///
/// | rate | burst | piece |
/// | --- | --- | --- |
/// | 8 KiB/s | 1 KiB | 1 KiB |
/// | 100 KiB/s | 12.5 KiB | 12.5 KiB |
/// | 1 MiB/s | 128 KiB | 16 KiB |
/// | 100 MiB/s | 12.5 MiB | 16 KiB |
package struct TokenBucket: Sendable, Hashable {
    /// In bytes a second.
    package let rate: Int64
    /// When all that was reserved is paid for.
    private var paid: Moment?

    package init(rate: Int64) { self.rate = max(1, rate) }

    /// What may go at once after a rest: an eighth of a second's worth, in bytes.
    package var burst: Int64 { max(1 << 10, rate / 8) }

    /// What is reserved at once at the most, in bytes: one data frame, less where the rate is low.
    package var pieceMost: Int { Int(min(burst, 16 << 10)) }

    /// - Returns: when the bytes may go; `now` or earlier: at once.
    package mutating func reserve(_ bytes: Int, at now: Moment) -> Moment {
        let rested = now - price(burst)
        let from = paid.map { max($0, rested) } ?? rested
        paid = from + price(Int64(bytes))
        return from
    }

    private func price(_ bytes: Int64) -> Duration {
        let (whole, rest) = bytes.quotientAndRemainder(dividingBy: rate)
        let part = rest.multipliedFullWidth(by: 1_000_000_000)
        return .seconds(whole) + .nanoseconds(rate.dividingFullWidth(part).quotient)
    }
}
