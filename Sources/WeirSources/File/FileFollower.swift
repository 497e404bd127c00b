internal import Logging
internal import NIOCore
internal import WeirFlow
internal import WeirGates
internal import WeirSettings
internal import WeirWorld

/// The loop of a file source: looks for files, reads them in turns, hands on, and keeps the checkpoints.
struct FileFollower {
    /// Read at a time, and at most so often in a row before the next file has its turn.
    private static let chunkBytes = 256 * 1_024
    private static let chunksInTurn = 8
    /// Batches of one file whose receipts are open.
    private static let pendingMost = 256
    private static let saveEvery = Duration.seconds(1)
    /// How long a stop waits for open receipts.
    private static let stopWait = Duration.seconds(2)

    let settings: FileSource.Settings
    let intake: any Intake
    let meter: SourceMeter
    let world: World
    let checkpoints: any CheckpointStore
    let lane: any BlockingLane
    let stopSignal: StopSignal

    private var tails: [FileTail] = []
    private var restored: [FileCheckpoint] = []
    private var troubles: [String: FileFailure.Kind] = [:]
    private var isFirstLook = true
    private var lastLook = Moment(nanoseconds: .min)
    private var lastSave = Moment.zero
    private var saved: [FileCheckpoint] = []
    private var isSavingTroubled = false

    init(
        settings: FileSource.Settings, intake: any Intake, meter: SourceMeter, world: World,
        checkpoints: any CheckpointStore, lane: any BlockingLane, stopSignal: StopSignal
    ) {
        self.settings = settings
        self.intake = intake
        self.meter = meter
        self.world = world
        self.checkpoints = checkpoints
        self.lane = lane
        self.stopSignal = stopSignal
    }

    private var key: String { "file.\(meter.name)" }

    mutating func run() async {
        if let bytes = await checkpoints.load(key) { restored = FileCheckpoints.read(bytes) }
        saved = restored
        var pause = settings.poll
        while !isOver {
            if isFirstLook || world.time.now - lastLook >= settings.poll { await lookForFiles() }
            let hasMoved = await readAll()
            settleAll()
            if world.time.now - lastSave >= Self.saveEvery { await save() }
            if isOver { break }
            if hasMoved {
                pause = settings.poll
            } else {
                await stopSignal.sleep(for: pause, world.time)
                pause = min(pause * 2, max(settings.pollMost, settings.poll))
            }
        }
        await finish()
    }

    private var isOver: Bool { stopSignal.isGiven || Task.isCancelled }

    private mutating func finish() async {
        let deadline = world.time.now + Self.stopWait
        settleAll()
        while tails.contains(where: { $0.pendingCount > 0 }), world.time.now < deadline, !Task.isCancelled {
            guard (try? await world.time.sleep(for: .milliseconds(10))) != nil else { break }
            settleAll()
        }
        await save()
        let handles = tails.map(\.handle)
        tails = []
        _ = try? await lane.run { for handle in handles { handle.close() } }
        for _ in handles { meter.connectionClosed() }
    }

    // MARK: Finding

    private mutating func lookForFiles() async {
        lastLook = world.time.now
        // Files that were rotated while Weir was not running are looked for beside those that the patterns name.
        let search = FileSearch(
            patterns: settings.paths.values.map { FilePattern($0) }, most: settings.filesMost, files: world.files,
            checkpoints: isFirstLook ? restored : [])
        let found = try? await lane.run { search.run() }
        guard let found else { return }
        if found.isCut { trouble("too_many_files", .tooManyFiles) } else { troubles["too_many_files"] = nil }
        markRotated(found.named)
        for file in found.named { await follow(file, isRotated: false) }
        for file in found.rotated { await follow(file, isRotated: true) }
        let paths = Set(found.named.map(\.path)).union(["too_many_files"])
        troubles = troubles.filter { paths.contains($0.key) }
        isFirstLook = false
        // What was not found again may only be out of reach for now, so it is kept, but not for ever.
        restored = Array(restored.prefix(settings.filesMost))
    }

    private mutating func markRotated(_ named: [FileSearch.Found]) {
        var places: [[UInt64]: String] = [:]
        for file in named { places[[file.status.device, file.status.inode]] = file.path }
        for index in tails.indices {
            let path = places[[tails[index].device, tails[index].inode]]
            tails[index].isRotated = path == nil
            if let path { tails[index].path = path }
        }
    }

    private mutating func follow(_ file: FileSearch.Found, isRotated: Bool) async {
        guard tails.count < settings.filesMost,
            !tails.contains(where: { $0.device == file.status.device && $0.inode == file.status.inode })
        else { return }
        let files = world.files
        let opened: (handle: any FileHandle, head: [UInt8], length: Int64)
        do {
            opened = try await lane.run {
                let handle = try files.open(file.path, .read)
                do {
                    return (handle, try FileSearch.head(of: handle), try handle.length)
                } catch {
                    handle.close()
                    throw error
                }
            }
        } catch {
            return trouble(file.path, (error as? FileFailure)?.kind ?? .broken)
        }
        troubles[file.path] = nil
        let earlier = restored.first { $0.isOf(file.status) }
        let known = earlier.flatMap { $0.begins(opened.head) ? $0 : nil } ?? file.original
        guard known != nil || !isRotated else {
            _ = try? await lane.run { opened.handle.close() }
            return
        }
        // A file that was cut, or stands where another was read, began while Weir was down: all of it is new.
        let isSuccessor = earlier != nil || restored.contains { $0.path == file.path }
        var offset: Int64 = isFirstLook && settings.from == .end && !isSuccessor ? opened.length : 0
        if let known { offset = known.offset <= opened.length ? known.offset : 0 }
        restored.removeAll { $0.isOf(file.status) }
        var tail = FileTail(
            path: file.path, device: file.status.device, inode: file.status.inode, handle: opened.handle,
            offset: offset,
            head: opened.head,
            cutter: LineCutter(format: settings.format, limit: settings.eventMost.asInt, meter: meter),
            eventMost: settings.eventMost.asInt, now: world.time.now)
        tail.isRotated = isRotated
        tails.append(tail)
        meter.connectionOpened()
    }

    /// A file that cannot be read is a state: said once, tried again with every look.
    private mutating func trouble(_ path: String, _ kind: FileFailure.Kind) {
        guard troubles[path] != kind else { return }
        troubles[path] = kind
        meter.refused(kind.rawValue)
        world.log.warning(
            "a file cannot be followed",
            metadata: ["source": "\(meter.name)", "file.path": "\(path)", "error.kind": "\(kind.rawValue)"])
    }

    // MARK: Reading

    /// True when there was something to read.
    private mutating func readAll() async -> Bool {
        var hasMoved = false
        var index = 0
        while index < tails.count, !isOver {
            let (moved, isDone) = await readInTurn(index)
            hasMoved = hasMoved || moved
            if isDone {
                let tail = tails.remove(at: index)
                meter.connectionClosed()
                _ = try? await lane.run { tail.handle.close() }
            } else {
                index += 1
            }
        }
        return hasMoved
    }

    private mutating func readInTurn(_ index: Int) async -> (moved: Bool, isDone: Bool) {
        var moved = false
        guard world.time.now >= tails[index].restUntil else { return (false, false) }
        for turn in 0..<Self.chunksInTurn {
            guard !isOver else { return (moved, false) }
            if tails[index].pendingCount >= Self.pendingMost { return (moved, false) }
            guard let chunk = await readChunk(index, isFirst: turn == 0) else {
                return (moved, tails[index].isRotated && tails[index].pendingCount == 0)
            }
            guard chunk.readableBytes > 0 else { break }
            moved = true
            tails[index].lastGrowth = world.time.now
            let (batches, end) = tails[index].read(chunk, context: context(tails[index]))
            await hand(batches, end: end, to: index)
            if chunk.readableBytes < Self.chunkBytes { break }
        }
        guard !moved, tails[index].isRotated, world.time.now - tails[index].lastGrowth >= settings.rotateWait else {
            return (moved, false)
        }
        if tails[index].hasPartialLine {
            let (batches, end) = tails[index].finish(context: context(tails[index]))
            await hand(batches, end: end, to: index)
        }
        settle(index)
        // Kept until its events are safe: a lost receipt has them read again.
        return (false, tails[index].pendingCount == 0)
    }

    /// The next bytes; empty when there are none, `nil` when the file cannot be read.
    private mutating func readChunk(_ index: Int, isFirst: Bool) async -> ByteBuffer? {
        let handle = tails[index].handle
        do {
            if isFirst {
                let (length, head) = try await lane.run { (try handle.length, try FileSearch.head(of: handle)) }
                switch tails[index].look(length: length, head: head) {
                case .still: return ByteBuffer()
                case .grown, .restarted: break
                }
            }
            let offset = tails[index].readOffset
            let chunk = try await lane.run { () throws -> ByteBuffer in
                var buffer = ByteBuffer()
                try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunkBytes) { bytes in
                    try handle.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes.prefix(Self.chunkBytes)), at: offset)
                }
                return buffer
            }
            troubles[tails[index].path] = nil
            return chunk
        } catch {
            trouble(tails[index].path, (error as? FileFailure)?.kind ?? .broken)
            return nil
        }
    }

    private func context(_ tail: FileTail) -> BatchContext {
        BatchContext(kind: .raw, source: meter.name, received: world.time.wall, attributes: ["path": tail.path])
    }

    private mutating func hand(_ batches: [Batch], end: Int64, to index: Int) async {
        var receipts: [Receipt] = []
        for batch in batches {
            guard let receipt = await hand(batch) else {
                // Not handed on: it is read again after the next start.
                return
            }
            receipts.append(receipt)
        }
        tails[index].handed(receipts, end: end)
        settle(index)
    }

    private func hand(_ batch: Batch) async -> Receipt? {
        while true {
            do throws(IntakeRefusal) {
                let receipt = try await meter.waiting(world.time) { () async throws(IntakeRefusal) in
                    try await intake.accept(batch, deadline: nil)
                }
                meter.took(events: batch.count, bytes: batch.byteCount)
                return receipt
            } catch {
                guard case .full(_, let retryAfter) = error, !isOver else { return nil }
                await stopSignal.sleep(for: min(retryAfter ?? .seconds(1), .seconds(30)), world.time)
            }
        }
    }

    // MARK: Keeping

    private mutating func settleAll() {
        for index in tails.indices { settle(index) }
    }

    /// What a destination lost is read again, but not at once: it would be lost again.
    private mutating func settle(_ index: Int) {
        guard !tails[index].settle() else { return }
        meter.refused("read_again")
        tails[index].restUntil = world.time.now + settings.pollMost
    }

    private mutating func save() async {
        lastSave = world.time.now
        let present = tails.map(\.checkpoint) + restored
        guard present != saved else { return }
        do {
            try await checkpoints.save(key, FileCheckpoints.bytes(present))
            saved = present
            isSavingTroubled = false
        } catch {
            guard !isSavingTroubled else { return }
            isSavingTroubled = true
            world.log.warning(
                "checkpoints cannot be saved; after a restart events may arrive twice",
                metadata: ["source": "\(meter.name)", "error": "\(error)"])
        }
    }
}
