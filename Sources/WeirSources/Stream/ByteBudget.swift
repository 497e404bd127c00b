import Synchronization

/// Bytes that all connections of a source hold together. Over the limit only a connection that holds nothing reads, and
/// little at a time; so there is always one that gets on, and memory stays bounded however many there are.
final class ByteBudget: Sendable {
    private let held = Atomic<Int>(0)
    let limit: Int

    init(limit: Int) { self.limit = limit }

    var isOver: Bool { held.load(ordering: .relaxed) > limit }
    var bytes: Int { held.load(ordering: .relaxed) }
    func take(_ bytes: Int) { held.wrappingAdd(bytes, ordering: .relaxed) }
    func give(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}
