import Logging
import Synchronization
import WeirStore
import WeirWorld

/// The dead letters of all connectors: bundles that cannot be unpacked. Opened with the first one, or when somebody
/// looks.
final class PoisonLetters: Sendable {
    private let directory: String
    private let maxSize: Int64
    private let minFree: Int64
    private let world: World
    private let letters = Mutex<DeadLetters?>(nil)
    /// By connector; what is on disk counts as soon as it was looked at.
    private let counted = Mutex<[ConnectorID: Int]>([:])
    /// One opens at a time.
    private let turn = Mutex<[CheckedContinuation<Void, Never>]?>(nil)

    init(directory: String, maxSize: Int64, minFree: Int64, world: World) {
        self.directory = directory
        self.maxSize = maxSize
        self.minFree = minFree
        self.world = world
    }

    var counts: [ConnectorID: Int] { counted.withLock { $0 } }

    func append(_ letter: DeadLetter) async throws(StoreFailure) {
        let letters = try await open()
        let dropped = try await letters.append([letter])
        counted.withLock { $0[letter.source, default: 0] += 1 }
        if dropped > 0 {
            world.log.error(
                "the dead letters of connectors are full; the oldest were dropped",
                metadata: ["dropped.letters": "\(dropped)"])
            await count(letters)
        }
    }

    /// Takes letters of one connector out for good.
    func remove(_ ids: [QueueOffset], of connector: ConnectorID) async throws(StoreFailure) {
        try await open().remove(ids)
        counted.withLock { $0[connector] = max(0, ($0[connector] ?? 0) - ids.count) }
    }

    func open() async throws(StoreFailure) -> DeadLetters {
        await enter()
        defer { leave() }
        if let letters = letters.withLock({ $0 }) { return letters }
        let opened = try await DeadLetters.open(
            directory: directory, name: "connectors-dead", maxSize: maxSize, minFree: minFree, world: world)
        letters.withLock { $0 = opened }
        await count(opened)
        return opened
    }

    /// Counts what an earlier process left, if it left any.
    func look() async {
        let lane = world.blocking.lane("dead-letters")
        let isThere = await withCheckedContinuation { continuation in
            lane.enqueue { [world, directory] in
                continuation.resume(returning: (try? world.files.status(directory)) ?? nil != nil)
            }
        }
        guard isThere else { return }
        do throws(StoreFailure) { _ = try await open() } catch {
            world.log.error("the dead letters cannot be opened", metadata: ["error.kind": "\(error.code)"])
        }
    }

    private func count(_ letters: DeadLetters) async {
        let counts = Mutex<[ConnectorID: Int]>([:])
        _ = try? await letters.list(limit: 1) { letter in
            counts.withLock { $0[letter.source, default: 0] += 1 }
            return false
        }
        let found = counts.withLock { $0 }
        counted.withLock { $0 = found }
    }

    func close() async {
        let letters = letters.withLock { letters in
            defer { letters = nil }
            return letters
        }
        await letters?.close()
    }

    private func enter() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isMine = turn.withLock { turn in
                if turn == nil {
                    turn = []
                    return true
                }
                turn?.append(continuation)
                return false
            }
            if isMine { continuation.resume() }
        }
    }

    private func leave() {
        let next = turn.withLock { turn -> CheckedContinuation<Void, Never>? in
            if turn?.isEmpty == false { return turn?.removeFirst() }
            turn = nil
            return nil
        }
        next?.resume()
    }
}
