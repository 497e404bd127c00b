import Synchronization

/// Chance that can be replayed: every random decision of the product comes from here.
package protocol RandomSource: Sendable {
    func next() -> UInt64
}

extension RandomSource {
    /// A number in `0..<1`.
    package func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A whole number in `0..<bound`. `bound` must be over 0. The bias is below 2⁻³² for every bound under 2³².
    package func below(_ bound: Int) -> Int {
        precondition(bound > 0, "no number is below \(bound)")
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, every seed is good, fast enough to draw from under a lock.
package struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A seeded source that several tasks may draw from.
package final class SeededRandom: RandomSource {
    private let generator: Mutex<SplitMix>

    package init(seed: UInt64) { generator = Mutex(SplitMix(seed: seed)) }

    package func next() -> UInt64 { generator.withLock { $0.next() } }
}
