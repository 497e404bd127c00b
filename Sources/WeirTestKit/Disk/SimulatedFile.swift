import WeirWorld

/// An open file of the simulated disk; dead after the crash that ended its life.
final class SimulatedFile: FileHandle {
    // Carries a node out of the lock; it is opened only under the lock again.
    struct Token: @unchecked Sendable { let node: SimulatedNode }

    let disk: SimulatedDisk
    let path: String
    let token: Token
    let life: UInt64
    let canWrite: Bool

    init(disk: SimulatedDisk, path: String, token: Token, life: UInt64, canWrite: Bool) {
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

final class SimulatedLock: FileLock {
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

func failure(_ kind: FileFailure.Kind, _ operation: String, _ path: String) -> FileFailure {
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

/// What a handle asks of its disk.
extension SimulatedDisk {
    func read(_ file: SimulatedFile, count: Int, at offset: Int64) throws(FileFailure) -> [UInt8] {
        try with(file, "read") { node, _ throws(FileFailure) in
            let start = min(Int(clamping: offset), node.content.count)
            if let bad = node.unreadable, bad.overlaps(start..<(start + count)) {
                throw failure(.broken, "read", file.path)
            }
            return Array(node.content[start..<min(node.content.count, start + count)])
        }
    }

    func write(_ bytes: [UInt8], to file: SimulatedFile, at offset: Int64) throws(FileFailure) {
        try with(file, "write") { node, state throws(FileFailure) in
            let offset = Int(clamping: offset)
            let isLast = state.lifeLeft == 1
            let room = state.capacity == .max ? Int.max : Int(clamping: state.capacity - state.used)
            let growth = max(0, offset + bytes.count - node.content.count)
            var count = growth <= room ? bytes.count : max(0, bytes.count - (growth - max(0, room)))
            // Killed in the middle of a write: a part of it arrived.
            if isLast, count > 0 { count = Int(state.random.next() % UInt64(count + 1)) }
            if count > 0, !state.isReadOnly {
                let change = SimulatedNode.Change.write(offset, Array(bytes.prefix(count)))
                node.write(change)
                state.bytesWritten += Int64(count)
            }
            try state.spend("write", file.path)
            if count < bytes.count { throw failure(.noSpace, "write", file.path) }
        }
    }

    func sync(_ file: SimulatedFile) throws(FileFailure) {
        try with(file, "fdatasync") { node, state throws(FileFailure) in
            try state.spend("fdatasync", file.path)
            if state.syncFailures > 0 {
                state.syncFailures -= 1
                // The kernel marks the pages clean: some arrived, none will be tried again.
                node.lose(&state.random)
                throw failure(.broken, "fdatasync", file.path)
            }
            state.syncs += 1
            node.sync()
        }
    }

    func truncate(_ file: SimulatedFile, to length: Int64) throws(FileFailure) {
        try with(file, "ftruncate") { node, state throws(FileFailure) in
            try state.spend("ftruncate", file.path)
            let change = SimulatedNode.Change.truncate(Int(clamping: length))
            node.write(change)
        }
    }

    func length(_ file: SimulatedFile) throws(FileFailure) -> Int64 {
        try with(file, "fstat") { node, _ throws(FileFailure) in Int64(node.content.count) }
    }

    func close(_ file: SimulatedFile) {
        set { state in if state.life == file.life { state.openFiles -= 1 } }
    }

    func release(_ path: String, life: UInt64) {
        set { state in if state.life == life { state.locks.remove(path) } }
    }

    private func with<Result: Sendable>(
        _ file: SimulatedFile, _ operation: String,
        _ body: @Sendable (SimulatedNode, inout SimulatedState) throws(FileFailure) -> Result
    ) throws(FileFailure) -> Result {
        try change { state throws(FileFailure) in
            try state.check(operation, file.path)
            guard file.life == state.life else { throw failure(.broken, operation, file.path) }
            return try body(file.token.node, &state)
        }
    }
}
