import Logging
import Synchronization
import WeirStore
import WeirWorld

/// The dead letters of all connectors: bundles that cannot be unpacked. Opened with the first one.
final class PoisonLetters: Sendable {
    private let directory: String
    private let maxSize: Int64
    private let minFree: Int64
    private let world: World
    private let letters = Mutex<DeadLetters?>(nil)
    /// One opens at a time.
    private let turn = Mutex<[CheckedContinuation<Void, Never>]?>(nil)

    init(directory: String, maxSize: Int64, minFree: Int64, world: World) {
        self.directory = directory
        self.maxSize = maxSize
        self.minFree = minFree
        self.world = world
    }

    func append(_ letter: DeadLetter) async throws(StoreFailure) {
        let dropped = try await open().append([letter])
        if dropped > 0 {
            world.log.error(
                "the dead letters of connectors are full; the oldest were dropped",
                metadata: ["dropped.letters": "\(dropped)"])
        }
    }

    func open() async throws(StoreFailure) -> DeadLetters {
        await enter()
        defer { leave() }
        if let letters = letters.withLock({ $0 }) { return letters }
        let opened = try await DeadLetters.open(
            directory: directory, name: "connectors-dead", maxSize: maxSize, minFree: minFree, world: world)
        letters.withLock { $0 = opened }
        return opened
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
