import Synchronization
import WeirWorld

/// Makes the index when somebody asks, and keeps it for twenty times as long as that took: a page that is open costs
/// 5 % of a core at the most, however many connectors there are, and nobody who looks costs nothing.
///
/// One index is made at a time, by `run`, for all who ask meanwhile. Who asks for one that is just too old (up to as
/// long again) gets it at once while the next is made; who asks for an older one waits.
final class ConnectorIndexing: Sendable {
    private struct State {
        var index: ConnectorIndex?
        /// The index is fresh until then, and good enough for another `grace`.
        var until = Moment.zero
        var grace = Duration.zero
        var isWanted = false
        var progress: ConnectorIndexProgress?
        var waiting: [CheckedContinuation<ConnectorIndex, Never>] = []
        var isOver = false
    }

    /// Connectors that are looked at in one go; then others have their turn.
    private static let chunk = 500
    /// An index is kept for so many times as long as it took to make.
    private static let factor = 20

    private let time: any TimeSource
    private let state = Mutex(State())
    private let bell = Alarm()

    init(time: any TimeSource) { self.time = time }

    var hasIndex: Bool { state.withLock { $0.index != nil } }

    /// How far the index is that is made just now.
    var progress: ConnectorIndexProgress? { state.withLock { $0.progress } }

    /// Somebody will ask soon.
    func prepare() {
        state.withLock { $0.isWanted = true }
        bell.poke()
    }

    func index() async -> ConnectorIndex {
        let now = time.now
        return await withCheckedContinuation { continuation in
            let kept = state.withLock { state -> ConnectorIndex? in
                if state.isOver { return state.index ?? ConnectorIndex() }
                if let index = state.index, now < state.until { return index }
                state.isWanted = true
                if let index = state.index, now < state.until + state.grace { return index }
                state.waiting.append(continuation)
                return nil
            }
            if let kept { continuation.resume(returning: kept) }
            bell.poke()
        }
    }

    /// Makes what is asked for until the task is cancelled.
    /// - Parameter look: adds what an index needs of some connectors.
    func run(
        of ids: @Sendable () -> [String], look: @Sendable ([String], inout ConnectorIndex) -> Void
    ) async {
        while !Task.isCancelled {
            if state.withLock({ $0.isWanted }) { await make(ids(), look) }
            await bell.wait()
        }
        let (waiting, last) = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [] }
            return (state.waiting, state.index ?? ConnectorIndex())
        }
        for continuation in waiting { continuation.resume(returning: last) }
    }

    private func make(_ ids: [String], _ look: @Sendable ([String], inout ConnectorIndex) -> Void) async {
        let start = time.now
        state.withLock { state in
            state.isWanted = false
            state.progress = ConnectorIndexProgress(looked: 0, of: ids.count)
        }
        var index = ConnectorIndex()
        for first in stride(from: 0, to: ids.count, by: Self.chunk) {
            let last = min(first + Self.chunk, ids.count)
            look(Array(ids[first..<last]), &index)
            state.withLock { $0.progress?.looked = last }
            if last < ids.count { await Task.yield() }
        }
        index.sort()
        let made = index
        let end = time.now
        let waiting = state.withLock { state in
            state.index = made
            state.grace = (end - start) * Self.factor
            state.until = end + state.grace
            state.progress = nil
            // Who asked meanwhile has it.
            state.isWanted = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: made) }
    }
}

/// How far the making of the first index is.
package struct ConnectorIndexProgress: Sendable, Hashable {
    package var looked: Int
    package var of: Int

    package init(looked: Int, of: Int) {
        self.looked = looked
        self.of = of
    }
}
