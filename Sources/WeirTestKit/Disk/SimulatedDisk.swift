import Synchronization
import WeirWorld

/// A disk that remembers what was promised and no more.
///
/// Writes are volatile until `sync`, names until `syncDirectory`. A crash keeps, by seed, nothing, everything, a
/// beginning or a random choice of the 512-byte sectors that were not synced, and a beginning of the name changes of
/// each directory. A failed sync behaves as Linux does: the pages count as clean afterwards, so that a second sync
/// says yes and means nothing. Directories themselves are durable at once.
package final class SimulatedDisk: Sendable {
    // Nodes are reachable only through the state, and are touched only while it is locked.
    struct Guarded: @unchecked Sendable { var state: SimulatedState }
    private let guarded: Mutex<Guarded>

    package init(seed: UInt64, capacity: Int64 = .max) {
        guarded = Mutex(Guarded(state: SimulatedState(random: SplitMix(seed: seed), capacity: capacity)))
    }

    func change<Result: Sendable>(
        _ body: @Sendable (inout SimulatedState) throws(FileFailure) -> Result
    ) throws(FileFailure) -> Result {
        try guarded.withLock { guarded throws(FileFailure) in try body(&guarded.state) }
    }

    func set(_ body: @Sendable (inout SimulatedState) -> Void) { guarded.withLock { body(&$0.state) } }

    func look<Result: Sendable>(_ body: @Sendable (inout SimulatedState) -> Result) -> Result {
        guarded.withLock { body(&$0.state) }
    }

    // MARK: Trouble

    /// Bytes that fit on the disk. A write beyond it is done in part and then refused.
    package func setCapacity(_ bytes: Int64) { set { $0.capacity = bytes } }
    package func setReadOnly(_ isReadOnly: Bool) { set { $0.isReadOnly = isReadOnly } }
    /// The next `count` syncs of files fail.
    package func failSyncs(_ count: Int) { set { $0.syncFailures = count } }
    /// A bad place of the medium: reads that touch these bytes fail with EIO, until they are written over.
    package func setUnreadable(_ bytes: Range<Int>?, in path: String) { set { $0.names[path]?.unreadable = bytes } }
    package func setOpenFilesMost(_ count: Int) { set { $0.openFilesMost = count } }
    /// After `operations` more changes every call fails, until `crash`: the process was killed there.
    package func setLife(operations: Int) { set { $0.lifeLeft = operations } }
    /// Changes so far: writes, syncs, renames, removals, truncations, creations.
    package var operations: Int { look { $0.operations } }
    package var syncs: Int { look { $0.syncs } }
    package var bytesWritten: Int64 { look { $0.bytesWritten } }

    /// The power goes: what was not synced is lost or torn, locks are free, open files are dead.
    package func crash() { set { $0.crash() } }

    /// The process dies and the machine lives: everything written stays.
    package func kill() { set { $0.kill() } }

    /// The bytes of a file as they are now; `nil` when there is none.
    package func contents(_ path: String) -> [UInt8]? { look { $0.names[path]?.content } }

    /// Puts bytes into a file (made when missing), durably and outside all faults: damage, fixtures.
    package func put(_ bytes: [UInt8], in path: String) {
        set { state in
            let node = state.names[path] ?? SimulatedNode(number: state.nextNumber)
            state.nextNumber += 1
            node.content = bytes
            node.durable = bytes
            node.changes = []
            state.names[path] = node
            state.durableNames[path] = node
            state.addDirectories(above: path)
        }
    }

    /// All files, sorted.
    package var paths: [String] { look { $0.names.keys.sorted() } }
}
