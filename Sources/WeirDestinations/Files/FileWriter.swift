import CWeirSystem
import Glibc
import NIOCore
import WeirFlow
import WeirGates
import WeirWires
import WeirWorld

/// The open files of one filesystem destination: which to write to, when to finish one, and what happens when the disk
/// says no. All of it blocks.
///
/// A batch is all or nothing: when one of its files fails, what the others took of it is cut off again, and the batch
/// comes back whole.
///
/// `@unchecked Sendable`: it belongs to one lane, and nothing else touches it.
final class FileWriter: @unchecked Sendable {
    struct Rules: Sendable {
        var output: String
        var staging: String
        var naming: FileNaming
        var compression: FileCompression
        var durability: FileDurability
        var sizeMost: Int64
        var ageMost: Duration
        var idleMost: Duration
        var filesMost: Int
    }

    /// What a partition takes of a batch: the lines, and which events they are.
    struct Part: Sendable {
        var partition: PartitionPath
        var lines: ByteBuffer
        var indices: [Int]
    }

    private let rules: Rules
    private let world: World
    private var output: OutputTree?
    private var staging: OutputTree?
    private var lock: Int32 = -1
    private var open: [PartitionPath: StagedFile] = [:]
    /// Written, not moved yet: the output directory said no.
    private var finished: [StagedFile] = []

    init(rules: Rules, world: World) {
        self.rules = rules
        self.world = world
    }

    deinit { if lock >= 0 { Glibc.close(lock) } }

    // MARK: Beginning and end

    func begin() throws(OutputFailure) {
        if output != nil { return }
        let output = try FileWriter.tree(rules.output, world)
        let staging = try FileWriter.tree(rules.staging, world)
        let same = weir_same_file_system(output.descriptor, staging.descriptor)
        if same < 0 { throw OutputFailure(-same, "move files from `\(rules.staging)` to `\(rules.output)`") }
        if lock < 0 {
            lock = weir_lock_beneath(staging.descriptor, FileWriter.lockName)
            if lock < 0 { throw OutputFailure(-lock, "lock `\(rules.staging)`") }
        }
        try Leftovers(staging: staging, output: output, compression: rules.compression, lockName: FileWriter.lockName)
            .finish()
        (self.output, self.staging) = (output, staging)
    }

    /// Begins anew where a directory has gone since.
    func beginAgain() throws(OutputFailure) {
        if let output, let staging, FileWriter.isThere(output), FileWriter.isThere(staging) { return }
        // What was open in a directory that is gone cannot be moved any more.
        open = [:]
        finished = []
        forget()
        try begin()
    }

    private static func isThere(_ tree: OutputTree) -> Bool {
        guard let now = try? OutputTree(tree.path) else { return false }
        return weir_same_directory(now.descriptor, tree.descriptor) == 1
    }

    static let lockName = ".lock"

    private static func tree(_ path: String, _ world: World) throws(OutputFailure) -> OutputTree {
        do throws(FileFailure) {
            if try world.files.status(path) == nil { try world.files.makeDirectory(path) }
        } catch {
            throw OutputFailure(error.code, "make the directory `\(path)`")
        }
        return try OutputTree(path)
    }

    /// Finishes everything. What cannot be moved stays in the staging directory and is finished by the next `begin`.
    func end() {
        for partition in open.keys.sorted(by: { $0.text < $1.text }) { retire(partition) }
        try? moveFinished()
        open = [:]
        finished = []
        forget()
    }

    /// Lets go of directories that are gone.
    func forget() {
        (output, staging) = (nil, nil)
        if lock >= 0 { Glibc.close(lock) }
        lock = -1
    }

    // MARK: Writing

    /// Writes the parts of one batch.
    /// - Returns: events whose directory cannot be used, by index.
    func write(_ parts: [Part]) throws(OutputFailure) -> [(index: Int, reason: Reason)] {
        try begin()
        try moveFinished()
        var marks: [(file: StagedFile, mark: StagedFile.Mark)] = []
        var refused: [(index: Int, reason: Reason)] = []
        do throws(OutputFailure) {
            for part in parts {
                do throws(OutputFailure) {
                    let file = try file(for: part.partition)
                    marks.append((file, file.mark))
                    try file.append(try packed(part.lines), eventBytes: part.lines.readableBytes, at: world.time.now)
                } catch {
                    guard error.isNameTaken, !part.partition.components.isEmpty else { throw error }
                    let reason = Reason(
                        "path_taken", "A link or file stands where the directory `\(part.partition.text)` should be.")
                    refused += part.indices.map { ($0, reason) }
                }
            }
            if rules.durability == .commit { for (file, _) in marks { try file.sync() } }
        } catch {
            for (file, mark) in marks where !file.isRetired { file.rollBack(to: mark) }
            for (file, _) in marks where file.isRetired { setAside(file.partition) }
            throw error
        }
        for (file, _) in marks where file.eventBytes >= rules.sizeMost { retire(file.partition) }
        // A directory that cannot take the finished file holds back the next batch, not this one: this one is safe.
        try? moveFinished()
        return refused
    }

    private func packed(_ lines: ByteBuffer) throws(OutputFailure) -> ByteBuffer {
        guard let coding = rules.compression.coding else { return lines }
        do throws(CompressionFailure) {
            return try Compression.encode(lines, coding)
        } catch {
            throw OutputFailure(ENOMEM, "compress a batch")
        }
    }

    private func file(for partition: PartitionPath) throws(OutputFailure) -> StagedFile {
        if let file = open[partition] { return file }
        guard let staging else { throw OutputFailure(ENOENT, "use the staging directory") }
        if open.count >= rules.filesMost { retireOldest() }
        let file = try StagedFile(
            partition, name: rules.naming.name(at: world.time.wall, random: world.random.next()), in: staging,
            syncs: rules.durability != .memory, at: world.time.now)
        open[partition] = file
        return file
    }

    // MARK: Finishing

    /// Called every second or so: finishes what is old or idle, syncs what waits for it.
    func tick() {
        let now = world.time.now
        for (partition, file) in open.sorted(by: { $0.key.text < $1.key.text }) {
            if now - file.opened >= rules.ageMost || now - file.lastWrite >= rules.idleMost {
                retire(partition)
            } else if rules.durability == .interval {
                sync(partition, file)
            }
        }
        try? moveFinished()
    }

    // A failed sync is not said to anybody here: `interval` promised no more than trying, and the file ends at what was
    // synced.
    private func sync(_ partition: PartitionPath, _ file: StagedFile) {
        do throws(OutputFailure) { try file.sync() } catch { setAside(partition) }
    }

    private func retireOldest() {
        guard let oldest = open.min(by: { ($0.value.lastWrite, $0.value.name) < ($1.value.lastWrite, $1.value.name) })
        else { return }
        retire(oldest.key)
    }

    private func retire(_ partition: PartitionPath) {
        guard let file = open[partition] else { return }
        if rules.durability != .memory { try? file.sync() }
        setAside(partition)
    }

    private func setAside(_ partition: PartitionPath) {
        if let file = open.removeValue(forKey: partition) { finished.append(file) }
    }

    /// Moves finished files to the output directory, oldest first; stops at the first that cannot be moved.
    private func moveFinished() throws(OutputFailure) {
        while let file = finished.first {
            try move(file)
            finished.removeFirst()
        }
    }

    private func move(_ file: StagedFile) throws(OutputFailure) {
        guard let staging, let output else { throw OutputFailure(ENOENT, "move a file to the output directory") }
        let syncs = rules.durability != .memory
        if file.length == 0 {
            try staging.with(file.partition.components, create: false) { (from) throws(OutputFailure) in
                _ = weir_remove_beneath(from, file.name, 0)
            }
        } else {
            try OutputMove.move(file.name, file.partition.components, from: staging, to: output, syncs: syncs)
        }
        staging.prune(file.partition.components)
    }
}

enum OutputMove {
    static func move(
        _ name: String, _ partition: [String], from staging: OutputTree, to output: OutputTree, syncs: Bool
    ) throws(OutputFailure) {
        try staging.with(partition, create: false) { (from) throws(OutputFailure) in
            try output.with(partition, create: true, syncs: syncs) { (to) throws(OutputFailure) in
                let code = weir_rename_beneath(from, name, to, name)
                if code != 0 { throw OutputFailure(-code, "move `\(name)` to `\(output.path)`") }
                if syncs { fsync(to) }
            }
        }
    }
}
