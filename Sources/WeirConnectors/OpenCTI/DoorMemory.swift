import Synchronization

/// Bytes of requests that are in memory while they are answered, all together. A push may be held for minutes, so when
/// there are too many of them, only short requests are gathered: the others wait at the gate with the rest of their
/// bytes still on the way. Pings with a long state come again a little later.
final class DoorMemory: Sendable {
    private static let leastGathered = 16 * 1_024

    private let most: Int
    private let bytes = Atomic<Int>(0)

    /// - Parameter most: from here on only 16 KiB of a request are gathered.
    init(most: Int) { self.most = most }

    var isCrowded: Bool { bytes.load(ordering: .relaxed) > most }

    /// Bytes of a request that may be gathered now; what is longer is taken as it comes.
    var gatherMost: Int { isCrowded ? DoorMemory.leastGathered : OpenCTIDoor.gatherMost }

    func take(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }
    func give(_ count: Int) { bytes.wrappingSubtract(count, ordering: .relaxed) }
}
