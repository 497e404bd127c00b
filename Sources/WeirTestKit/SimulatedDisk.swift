import Synchronization
package import WeirWorld

/// A disk that remembers what was promised and no more.
///
/// Writes are volatile until `sync`, names until `syncDirectory`. A crash keeps, by seed, nothing, everything, a
/// beginning or a random choice of the 512-byte sectors that were not synced, and a beginning of the name changes of
/// each directory. A failed sync behaves as Linux does: the pages count as clean afterwards, so that a second sync
/// says yes and means nothing. Directories themselves are durable at once.
package final class SimulatedDisk: FileSystem {
    private final class Node {
        let number: UInt64
        var content: [UInt8] = []
        /// What a crash leaves at least.
        var durable: [UInt8] = []
        var changes: [Change] = []

        init(number: UInt64) { self.number = number }
    }

    private enum Change {
        case write(Int, [UInt8])
        case truncate(Int)
    }

    private enum NameChange {
        case set(String, Node)
        case remove(String)
    }

    private struct State {
        var names: [String: Node] = [:]
        var durableNames: [String: Node] = [:]
        var nameChanges: [String: [NameChange]] = [:]
        var directories: Set<String> = ["/"]
        var locks: Set<String> = []
        var random: SplitMix
        var capacity: Int64
        var isReadOnly = false
        var openFilesMost = Int.max
        var openFiles = 0
        var syncFailures = 0
        var lifeLeft = Int.max
        var life: UInt64 = 0
        var operations = 0
        var nextNumber: UInt64 = 1
        var syncs = 0
        var bytesWritten: Int64 = 0

        var used: Int64 { names.values.reduce(0) { $0 + Int64($1.content.count) } }
    }

    // Nodes are reachable only through the state, and are touched only while it is locked.
    private struct Guarded: @unchecked Sendable { var state: State }
    private let guarded: Mutex<Guarded>

    package init(seed: UInt64, capacity: Int64 = .max) {
        guarded = Mutex(Guarded(state: State(random: SplitMix(seed: seed), capacity: capacity)))
    }

    private func change<Result: Sendable>(
        _ body: @Sendable (inout State) throws(FileFailure) -> Result
    ) throws(FileFailure) -> Result {
        try guarded.withLock { guarded throws(FileFailure) in try body(&guarded.state) }
    }

    private func set(_ body: @Sendable (inout State) -> Void) { guarded.withLock { body(&$0.state) } }

    private func look<Result: Sendable>(_ body: @Sendable (inout State) -> Result) -> Result {
        guarded.withLock { body(&$0.state) }
    }

    // MARK: Trouble

    /// Bytes that fit on the disk. A write beyond it is done in part and then refused.
    package func setCapacity(_ bytes: Int64) { set { $0.capacity = bytes } }
    package func setReadOnly(_ isReadOnly: Bool) { set { $0.isReadOnly = isReadOnly } }
    /// The next `count` syncs of files fail.
    package func failSyncs(_ count: Int) { set { $0.syncFailures = count } }
    package func setOpenFilesMost(_ count: Int) { set { $0.openFilesMost = count } }
    /// After `operations` more changes every call fails, until `crash`: the process was killed there.
    package func setLife(operations: Int) { set { $0.lifeLeft = operations } }
    /// Changes so far: writes, syncs, renames, removals, truncations, creations.
    package var operations: Int { look { $0.operations } }
    package var syncs: Int { look { $0.syncs } }
    package var bytesWritten: Int64 { look { $0.bytesWritten } }

    /// The power goes: what was not synced is lost or torn, locks are free, open files are dead.
    package func crash() {
        set { state in
            state.life &+= 1
            state.lifeLeft = .max
            state.locks = []
            state.openFiles = 0
            for directory in state.nameChanges.keys.sorted() {
                guard let changes = state.nameChanges[directory] else { continue }
                let kept = Int(state.random.next() % UInt64(changes.count + 1))
                for change in changes.prefix(kept) { SimulatedDisk.apply(change, to: &state.durableNames) }
            }
            state.nameChanges = [:]
            state.names = state.durableNames
            for path in state.names.keys.sorted() {
                guard let node = state.names[path] else { continue }
                SimulatedDisk.lose(node, &state.random)
                node.content = node.durable
            }
        }
    }

    /// The process dies and the machine lives: everything written stays.
    package func kill() {
        set { state in
            state.life &+= 1
            state.lifeLeft = .max
            state.locks = []
            state.openFiles = 0
        }
    }

    /// The bytes of a file as they are now; `nil` when there is none.
    package func contents(_ path: String) -> [UInt8]? { look { $0.names[path]?.content } }

    /// Puts bytes into a file (made when missing), durably and outside all faults: damage, fixtures.
    package func put(_ bytes: [UInt8], in path: String) {
        set { state in
            let node = state.names[path] ?? Node(number: state.nextNumber)
            state.nextNumber += 1
            node.content = bytes
            node.durable = bytes
            node.changes = []
            state.names[path] = node
            state.durableNames[path] = node
            SimulatedDisk.addDirectories(above: path, &state)
        }
    }

    /// All files, sorted.
    package var paths: [String] { look { $0.names.keys.sorted() } }

    // Which sectors survive, by one of four moods.
    private static func lose(_ node: Node, _ random: inout SplitMix) {
        let mood = random.next() % 4
        let cut = node.changes.isEmpty ? 0 : Int(random.next() % UInt64(node.changes.count + 1))
        for (index, change) in node.changes.enumerated() {
            switch mood {
            case 0: continue
            case 1: apply(change, to: &node.durable) { true }
            case 2:
                if index < cut { apply(change, to: &node.durable) { true } }
                if index == cut { apply(change, to: &node.durable) { random.next() % 2 == 0 } }
            default: apply(change, to: &node.durable) { random.next() % 2 == 0 }
            }
        }
        node.changes = []
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8], keeps: () -> Bool) {
        switch change {
        case .truncate(let length):
            guard keeps() else { return }
            resize(&bytes, length)
        case .write(let offset, let piece):
            var start = 0
            while start < piece.count {
                let end = min(piece.count, start + 512 - (offset + start) % 512)
                if keeps() {
                    if bytes.count < offset + end { resize(&bytes, offset + end) }
                    bytes.replaceSubrange((offset + start)..<(offset + end), with: piece[start..<end])
                }
                start = end
            }
        }
    }

    private static func resize(_ bytes: inout [UInt8], _ length: Int) {
        if bytes.count > length {
            bytes.removeLast(bytes.count - length)
        } else {
            bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
        }
    }

    private static func apply(_ change: NameChange, to names: inout [String: Node]) {
        switch change {
        case .set(let path, let node): names[path] = node
        case .remove(let path): names[path] = nil
        }
    }

    // MARK: FileSystem

    package func open(_ path: String, _ access: FileAccess) throws(FileFailure) -> any FileHandle {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "open", path)
            guard state.openFiles < state.openFilesMost else { throw failure(.tooManyFiles, "open", path) }
            guard !state.directories.contains(path) else { throw failure(.broken, "open", path) }
            let (creates, exclusive, writes) =
                switch access {
                case .read: (false, false, false)
                case .write(let create, let exclusive): (create || exclusive, exclusive, true)
                case .readWrite: (true, false, true)
                }
            if writes, state.isReadOnly { throw failure(.readOnly, "open", path) }
            let node: Node
            if let found = state.names[path] {
                if exclusive { throw failure(.exists, "open", path) }
                node = found
            } else {
                guard creates, state.directories.contains(SimulatedDisk.parent(path)) else {
                    throw failure(.missing, "open", path)
                }
                try SimulatedDisk.spend(&state, "open", path)
                node = Node(number: state.nextNumber)
                state.nextNumber += 1
                SimulatedDisk.rename(.set(path, node), path, &state)
            }
            state.openFiles += 1
            return SimulatedFile(disk: self, path: path, token: Token(node: node), life: state.life, canWrite: writes)
        }
    }

    package func lock(_ path: String) throws(FileFailure) -> (any FileLock)? {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "lock", path)
            if !state.locks.insert(path).inserted { return nil }
            return SimulatedLock(disk: self, path: path, life: state.life)
        }
    }

    package func rename(_ from: String, to: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "rename", from)
            guard let node = state.names[from], state.directories.contains(SimulatedDisk.parent(to)) else {
                throw failure(.missing, "rename", from)
            }
            try SimulatedDisk.spend(&state, "rename", from)
            SimulatedDisk.rename(.remove(from), from, &state)
            SimulatedDisk.rename(.set(to, node), to, &state)
        }
    }

    package func remove(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "unlink", path)
            guard state.names[path] != nil else { throw failure(.missing, "unlink", path) }
            try SimulatedDisk.spend(&state, "unlink", path)
            SimulatedDisk.rename(.remove(path), path, &state)
        }
    }

    package func makeDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "mkdir", path)
            if state.directories.contains(path) { return }
            try SimulatedDisk.spend(&state, "mkdir", path)
            SimulatedDisk.addDirectories(above: path + "/x", &state)
        }
    }

    package func removeDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try SimulatedDisk.spend(&state, "rmdir", path)
            guard state.directories.remove(path) != nil else { throw failure(.missing, "rmdir", path) }
        }
    }

    package func list(_ directory: String) throws(FileFailure) -> [String] {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "list", directory)
            guard state.directories.contains(directory) else { throw failure(.missing, "list", directory) }
            let all = Array(state.names.keys) + Array(state.directories)
            return all.filter { $0 != "/" && SimulatedDisk.parent($0) == directory }
                .map { String($0.dropFirst(directory == "/" ? 1 : directory.utf8.count + 1)) }.sorted()
        }
    }

    package func status(_ path: String) throws(FileFailure) -> FileStatus? {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "stat", path)
            let time = WallTime(nanoseconds: 0)
            if let node = state.names[path] {
                return FileStatus(
                    kind: .file, length: Int64(node.content.count), modified: time, device: 1, inode: node.number)
            }
            guard state.directories.contains(path) else { return nil }
            return FileStatus(kind: .directory, length: 0, modified: time, device: 1, inode: 0)
        }
    }

    package func syncDirectory(_ path: String) throws(FileFailure) {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "fsync", path)
            try SimulatedDisk.spend(&state, "fsync", path)
            for change in state.nameChanges.removeValue(forKey: path) ?? [] {
                SimulatedDisk.apply(change, to: &state.durableNames)
            }
        }
    }

    package func freeSpace(_ path: String) throws(FileFailure) -> Int64 {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, "statvfs", path)
            return state.capacity == .max ? .max / 2 : max(0, state.capacity - state.used)
        }
    }

    // MARK: Inside

    // Carries a node out of the lock; it is opened only under the lock again.
    fileprivate struct Token: @unchecked Sendable { fileprivate var node: AnyObject }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func addDirectories(above path: String, _ state: inout State) {
        var above = parent(path)
        while above != "/" {
            state.directories.insert(above)
            above = parent(above)
        }
    }

    private static func rename(_ change: NameChange, _ path: String, _ state: inout State) {
        apply(change, to: &state.names)
        state.nameChanges[parent(path), default: []].append(change)
    }

    private static func check(_ state: inout State, _ operation: String, _ path: String) throws(FileFailure) {
        if state.lifeLeft <= 0 { throw failure(.broken, operation, path) }
    }

    /// Counts a change; the one after the last of the disk's life does not happen.
    private static func spend(_ state: inout State, _ operation: String, _ path: String) throws(FileFailure) {
        if state.isReadOnly { throw failure(.readOnly, operation, path) }
        state.lifeLeft -= 1
        if state.lifeLeft <= 0 { throw failure(.broken, operation, path) }
        state.operations += 1
    }

    fileprivate func read(_ file: SimulatedFile, count: Int, at offset: Int64) throws(FileFailure) -> [UInt8] {
        try with(file, "read") { node, _ throws(FileFailure) in
            let start = min(Int(clamping: offset), node.content.count)
            return Array(node.content[start..<min(node.content.count, start + count)])
        }
    }

    fileprivate func write(_ bytes: [UInt8], to file: SimulatedFile, at offset: Int64) throws(FileFailure) {
        try with(file, "write") { node, state throws(FileFailure) in
            let offset = Int(clamping: offset)
            let isLast = state.lifeLeft == 1
            let room = state.capacity == .max ? Int.max : Int(clamping: state.capacity - state.used)
            let growth = max(0, offset + bytes.count - node.content.count)
            var count = growth <= room ? bytes.count : max(0, bytes.count - (growth - max(0, room)))
            // Killed in the middle of a write: a part of it arrived.
            if isLast, count > 0 { count = Int(state.random.next() % UInt64(count + 1)) }
            if count > 0, !state.isReadOnly {
                let change = Change.write(offset, Array(bytes.prefix(count)))
                SimulatedDisk.apply(change, to: &node.content) { true }
                node.changes.append(change)
                state.bytesWritten += Int64(count)
            }
            try SimulatedDisk.spend(&state, "write", file.path)
            if count < bytes.count { throw failure(.noSpace, "write", file.path) }
        }
    }

    fileprivate func sync(_ file: SimulatedFile) throws(FileFailure) {
        try with(file, "fdatasync") { node, state throws(FileFailure) in
            try SimulatedDisk.spend(&state, "fdatasync", file.path)
            if state.syncFailures > 0 {
                state.syncFailures -= 1
                // The kernel marks the pages clean: some arrived, none will be tried again.
                SimulatedDisk.lose(node, &state.random)
                throw failure(.broken, "fdatasync", file.path)
            }
            state.syncs += 1
            for change in node.changes { SimulatedDisk.apply(change, to: &node.durable) { true } }
            node.changes = []
        }
    }

    fileprivate func truncate(_ file: SimulatedFile, to length: Int64) throws(FileFailure) {
        try with(file, "ftruncate") { node, state throws(FileFailure) in
            try SimulatedDisk.spend(&state, "ftruncate", file.path)
            let change = Change.truncate(Int(clamping: length))
            SimulatedDisk.apply(change, to: &node.content) { true }
            node.changes.append(change)
        }
    }

    fileprivate func length(_ file: SimulatedFile) throws(FileFailure) -> Int64 {
        try with(file, "fstat") { node, _ throws(FileFailure) in Int64(node.content.count) }
    }

    fileprivate func close(_ file: SimulatedFile) {
        set { state in if state.life == file.life { state.openFiles -= 1 } }
    }

    fileprivate func release(_ path: String, life: UInt64) {
        set { state in if state.life == life { state.locks.remove(path) } }
    }

    private func with<Result: Sendable>(
        _ file: SimulatedFile, _ operation: String,
        _ body: @Sendable (Node, inout State) throws(FileFailure) -> Result
    ) throws(FileFailure) -> Result {
        try change { state throws(FileFailure) in
            try SimulatedDisk.check(&state, operation, file.path)
            guard file.life == state.life, let node = file.token.node as? Node else {
                throw failure(.broken, operation, file.path)
            }
            return try body(node, &state)
        }
    }
}

private final class SimulatedFile: FileHandle {
    let disk: SimulatedDisk
    let path: String
    let token: SimulatedDisk.Token
    let life: UInt64
    let canWrite: Bool

    init(disk: SimulatedDisk, path: String, token: SimulatedDisk.Token, life: UInt64, canWrite: Bool) {
        self.disk = disk
        self.path = path
        self.token = token
        self.life = life
        self.canWrite = canWrite
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFailure) -> Int {
        let bytes = try disk.read(self, count: buffer.count, at: offset)
        buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int64) throws(FileFailure) {
        guard canWrite else { throw failure(.broken, "write", path) }
        try disk.write(pieces.flatMap { Array($0) }, to: self, at: offset)
    }

    func sync() throws(FileFailure) { try disk.sync(self) }

    func truncate(to length: Int64) throws(FileFailure) { try disk.truncate(self, to: length) }

    var length: Int64 { get throws(FileFailure) { try disk.length(self) } }

    func close() { disk.close(self) }
}

private final class SimulatedLock: FileLock {
    private let disk: SimulatedDisk
    private let path: String
    private let life: UInt64

    init(disk: SimulatedDisk, path: String, life: UInt64) {
        self.disk = disk
        self.path = path
        self.life = life
    }

    func release() { disk.release(path, life: life) }
}

private func failure(_ kind: FileFailure.Kind, _ operation: String, _ path: String) -> FileFailure {
    let code: Int32 =
        switch kind {
        case .noSpace: 28
        case .readOnly: 30
        case .notAllowed: 13
        case .missing: 2
        case .exists: 17
        case .tooManyFiles: 24
        case .broken: 5
        }
    return FileFailure(kind: kind, operation: operation, path: path, code: code)
}
