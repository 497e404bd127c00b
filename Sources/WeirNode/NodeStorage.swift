import Synchronization
import WeirSources
import WeirStore
import WeirWorld

/// The data directory of a node: queues, dead letters and checkpoints, and the lock that keeps a second node out.
///
///     data/
///       destinations/NAME/queue/…           what its receiver has not taken yet
///       destinations/NAME/dead-letters/…    what its receiver refused for good
///       checkpoints                         how far files were read
///       .lock                               held while a node runs
package final class NodeStorage: Sendable {
    package let directory: String
    let checkpoints: any CheckpointStore
    private let store: Checkpoints
    private let lock: any FileLock

    static func open(_ directory: String, world: World) async throws(NodeFailure) -> NodeStorage {
        do {
            let store = try await Checkpoints.open(path: directory + "/checkpoints", world: world)
            let lane = world.blocking.lane("data")
            defer { lane.close() }
            if let lock = try await lane.run({ try world.files.lock(directory + "/.lock") }) {
                return NodeStorage(directory: directory, store: store, lock: lock)
            }
            await store.close()
        } catch {
            throw NodeFailure(
                "The data directory \(directory) cannot be used: \(error).",
                help: "Name another one with `data:`, or give Weir's user the right to write there.")
        }
        throw NodeFailure(
            "Another Weir runs on the data directory \(directory).",
            help: "Stop it, or name another directory with `data:`.")
    }

    private init(directory: String, store: Checkpoints, lock: any FileLock) {
        self.directory = directory
        self.store = store
        self.lock = lock
        checkpoints = StoredCheckpoints(store: store)
    }

    func chainDirectory(_ name: String) -> String { directory + "/destinations/" + name }

    func close() async {
        await store.close()
        lock.release()
    }

    private struct StoredCheckpoints: CheckpointStore {
        let store: Checkpoints

        func load(_ key: String) async -> [UInt8]? { store.value(for: key).map { Array($0.utf8) } }

        func save(_ key: String, _ bytes: [UInt8]) async throws {
            store.set(String(decoding: bytes, as: UTF8.self), for: key)
            try await store.flush()
        }
    }
}
