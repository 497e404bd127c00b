/// How long deliveries took, counted in fixed buckets: what `weir_delivery_seconds` shows. Monotone; 160 bytes.
package struct LatencyBuckets: Sendable, Hashable {
    /// Upper bounds in seconds, from the fsync of a fast disk to the longest request timeout in use; what took longer
    /// is counted in the last bucket.
    package static let bounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Not cumulative; one more than `bounds`.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// In seconds.
    package private(set) var sum = 0.0

    package init() {}

    package var total: UInt64 { counts.reduce(0, &+) }

    /// - Parameter seconds: not negative; what cannot be (a NaN) is left out.
    package mutating func record(_ seconds: Double) {
        guard seconds >= 0 else { return }
        let place = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        counts[place] &+= 1
        sum += seconds
    }
}
