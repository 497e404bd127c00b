/// Durations counted in fixed buckets, as a Prometheus histogram wants them. Monotone.
package struct LatencyBuckets: Sendable, Hashable {
    /// Of deliveries, in seconds: from the fsync of a fast disk to the longest request timeout in use.
    package static let deliveries: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Upper bounds in seconds, ascending; what took longer is counted in one bucket more.
    package let bounds: [Double]
    /// Not cumulative; one more than `bounds`.
    package private(set) var counts: [UInt64]
    /// In seconds.
    package private(set) var sum = 0.0

    package init(_ bounds: [Double] = deliveries) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    package var total: UInt64 { counts.reduce(0, &+) }

    /// - Parameter seconds: not negative; what cannot be (a NaN) is left out.
    package mutating func record(_ seconds: Double) {
        guard seconds >= 0 else { return }
        let place = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        counts[place] &+= 1
        sum += seconds
    }

    /// The bound under which `share` of all durations lie; infinite past the last one, `nil` when there are none.
    package func quantile(_ share: Double) -> Double? {
        let all = total
        guard all > 0 else { return nil }
        var running: UInt64 = 0
        for (place, count) in counts.enumerated() {
            running &+= count
            if Double(running) >= share * Double(all) { return place < bounds.count ? bounds[place] : .infinity }
        }
        return .infinity
    }
}
