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
package final class NodeStorage: Sendable {
    package let directory: String
    let checkpoints: any CheckpointStore
    private let store: Checkpoints

    static func open(_ directory: String, world: World) async throws(NodeFailure) -> NodeStorage {
        do {
            let store = try await Checkpoints.open(path: directory + "/checkpoints", world: world)
            return NodeStorage(directory: directory, store: store)
        } catch {
            throw NodeFailure(
                "The data directory \(directory) cannot be used: \(error).",
                help: "Name another one with `data:`, or give Weir's user the right to write there.")
        }
    }

    private init(directory: String, store: Checkpoints) {
        self.directory = directory
        self.store = store
        checkpoints = StoredCheckpoints(store: store)
    }

    func chainDirectory(_ name: String) -> String { directory + "/destinations/" + name }

    func close() async { await store.close() }

    private struct StoredCheckpoints: CheckpointStore {
        let store: Checkpoints

        func load(_ key: String) async -> [UInt8]? { store.value(for: key).map { Array($0.utf8) } }

        func save(_ key: String, _ bytes: [UInt8]) async throws {
            store.set(String(decoding: bytes, as: UTF8.self), for: key)
            try await store.flush()
        }
    }
}
