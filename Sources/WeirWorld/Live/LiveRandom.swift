/// The kernel's randomness. Every draw is a system call of about 0.3 µs: for jitter and identifiers, not for hot paths.
package struct LiveRandom: RandomSource {
    package init() {}

    package func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
