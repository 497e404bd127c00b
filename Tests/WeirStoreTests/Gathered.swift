import Synchronization
import WeirStore

/// Collects the answers of many appends.
final class Gathered: Sendable {
    private let offsets = Mutex<[QueueOffset]>([])
    private let count: Int
    private let whole: @Sendable ([QueueOffset]) -> Void

    init(count: Int, _ whole: @escaping @Sendable ([QueueOffset]) -> Void) {
        self.count = count
        self.whole = whole
    }

    func add(_ result: Result<QueueOffset, StoreFailure>) {
        let all = offsets.withLock { offsets -> [QueueOffset]? in
            if case .success(let offset) = result { offsets.append(offset) }
            return offsets.count == count ? offsets : nil
        }
        if let all { whole(all) }
    }
}
