/// How much may go out in one send after an outage: a little first, doubling with every success, so that the drain of a
/// long backlog is never a stampede. Together with the slow start of `AdaptiveLimit` it ramps both the number and the
/// size of sends.
///
/// | successes since the outage | bytes in one send, at most |
/// | --- | --- |
/// | 0 | 64 KiB |
/// | 1 | 128 KiB |
/// | 4 | 1 MiB |
/// | 6 | 4 MiB: the largest default, all is as before |
package struct DrainRamp: Sendable, Hashable {
    package static let bytesFirst = 65_536

    /// The destination's own largest send, in bytes.
    package let bytesMost: Int
    package private(set) var bytes: Int

    package init(bytesMost: Int) {
        self.bytesMost = max(1, bytesMost)
        bytes = self.bytesMost
    }

    package var isRamping: Bool { bytes < bytesMost }

    package mutating func restart() { bytes = min(Self.bytesFirst, bytesMost) }

    package mutating func succeeded() {
        guard bytes < bytesMost else { return }
        bytes = min(bytesMost, bytes &* 2)
    }
}
