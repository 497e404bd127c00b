import Synchronization
import WeirWorld

/// Makes the index when somebody asks, and keeps it for twenty times as long as that took: a page that is open costs
/// 5 % of a core at the most, however many connectors there are, and nobody who looks costs nothing.
final class ConnectorIndexing: Sendable {
    private struct State {
        var index: ConnectorIndex?
        var until = Moment.zero
        var isMaking = false
    }

    /// Connectors that are looked at in one go; then others have their turn.
    private static let chunk = 500

    private let time: any TimeSource
    private let state = Mutex(State())

    init(time: any TimeSource) { self.time = time }

    func index(
        of ids: @Sendable () -> [String], look: @Sendable ([String]) -> [ConnectorStatus]
    ) async -> ConnectorIndex {
        let start = time.now
        let kept = state.withLock { state -> ConnectorIndex? in
            if let index = state.index, start < state.until || state.isMaking { return index }
            state.isMaking = true
            return nil
        }
        if let kept { return kept }
        var index = ConnectorIndex()
        var rest = ids()[...]
        while !rest.isEmpty {
            for status in look(Array(rest.prefix(Self.chunk))) { index.add(status) }
            rest = rest.dropFirst(Self.chunk)
            if !rest.isEmpty { await Task.yield() }
        }
        index.sort()
        let end = time.now
        state.withLock { state in
            state.index = index
            state.until = end + (end - start) * 20
            state.isMaking = false
        }
        return index
    }
}
