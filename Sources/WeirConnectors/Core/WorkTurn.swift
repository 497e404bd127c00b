import Logging
import NIOCore
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

/// One turn of one queue: reads a little, cuts it into events, hands them to the routes, waits until they are settled,
/// and counts. Records are settled in their order.
struct WorkTurn: Sendable {
    let connector: ConnectorID
    let workers: Workers

    struct Outcome: Sendable {
        var cost: Int
        var hasMore: Bool
    }

    /// The turn ends before its work is done: Weir stops, or the routes do.
    struct Stopped: Error {}

    private var world: World { workers.world }
    private var settings: ConnectorsSettings { workers.settings }

    /// What a batch is made of, so that a small one is not sent alone and a large one does not grow.
    private static let batchBytes = 512 << 10

    func run() async -> Outcome {
        let queue = workers.queues[connector]
        let log: DurableQueue
        do throws(StoreFailure) {
            log = try await queue.use()
        } catch {
            await rest(failedWith: error)
            return Outcome(cost: 0, hasMore: true)
        }
        defer { queue.endUse() }
        do throws(StoreFailure) {
            let records = try await log.readNow(maxBytes: settings.turnBytes)
            if records.isEmpty {
                closeGap(log, queue)
                return Outcome(cost: 0, hasMore: false)
            }
            do throws(Stopped) {
                return Outcome(cost: try await work(on: records, queue), hasMore: true)
            } catch {
                log.rewind()
                return Outcome(cost: 0, hasMore: true)
            }
        } catch {
            await rest(failedWith: error)
            return Outcome(cost: 0, hasMore: true)
        }
    }

    private func rest(failedWith failure: StoreFailure) async {
        if case .closed = failure { return }
        world.log.error(
            "a work queue cannot be read",
            metadata: ["connector": "\(connector)", "error.kind": "\(failure.code)", "error": "\(failure)"])
        try? await world.time.sleep(for: .seconds(10))
    }

    /// Nothing is left to read, and nothing is on its way in: what is still counted is missing.
    private func closeGap(_ log: DurableQueue, _ queue: WorkQueue) {
        let level = log.level
        let isIdle = workers.book.with { state in
            state.slots[connector].map { $0.reserved == 0 && $0.marks.level.messages > 0 } ?? false
        }
        guard isIdle, level.events == 0, level.waitingBytes == 0 else { return }
        QueueReconciliation(connector: connector, book: workers.book, spool: queue.spool, world: world).closeGap()
    }

    // MARK: The records of a turn

    /// A bundle of the turn, with where it ends in the batch it went into.
    private struct Item: Sendable {
        var stored: StoredRecord
        var record: WorkRecord?
        var objects = 0
    }

    /// Bundles of one work that travel as one batch.
    private struct Parcel: Sendable {
        var work: WorkID?
        var lines = ByteBuffer()
        var items: [Item] = []
    }

    private func work(on records: [StoredRecord], _ queue: WorkQueue) async throws(Stopped) -> Int {
        var cost = 0
        var parcels: [Parcel] = []
        let settled = workers.book.with { $0.slots[connector]?.marks.settled.through ?? 0 }
        for stored in records {
            cost += stored.payload.readableBytes
            // Settled before a stop; only the queue has not forgotten it yet.
            if stored.offsets.lowerBound.position < settled {
                workers.book.withSlot(connector) { slot, _ in slot.isDirty = true }
                continue
            }
            let record = WorkRecord(stored)
            let item = Item(stored: stored, record: record)
            switch record?.body {
            case nil:
                try await deliver(&parcels, queue)
                let mistake = BundleMistake("unreadable_record", "The record in the work queue is none of ours.")
                try await bury(item, stored.payload, mistake, attempts: 1, queue)
            case .some(.none):
                try await deliver(&parcels, queue)
                settle(item, .nothing, queue)
            case .inline(let encoding, let bytes):
                do throws(BundleMistake) {
                    try gather(item, encoding, bytes, &parcels)
                } catch {
                    try await deliver(&parcels, queue)
                    try await bury(item, bytes, error, attempts: 1, queue)
                }
            case .spooled(let encoding, let file):
                try await deliver(&parcels, queue)
                cost += Int(clamping: record?.bytes ?? 0)
                let spooled = SpooledDelivery(
                    turn: self, encoding: encoding, file: file, spool: queue.spool, bytes: record?.bytes)
                let ending = try await spooled.run(work: record?.work)
                settle(item, ending, queue)
            }
        }
        try await deliver(&parcels, queue)
        return cost
    }

    /// Cuts a bundle and adds its objects to the last parcel, or to a new one.
    private func gather(
        _ item: Item, _ encoding: BundleHead.Encoding, _ bytes: ByteBuffer, _ parcels: inout [Parcel]
    ) throws(BundleMistake) {
        var item = item
        let (lines, count) = try encoding.cut(bytes)
        item.objects = count
        let work = item.record?.work
        let isFull = parcels.last.map { $0.lines.readableBytes + lines.readableBytes > Self.batchBytes } ?? true
        if isFull || parcels.last?.work != work { parcels.append(Parcel(work: work)) }
        parcels[parcels.count - 1].lines.writeImmutableBuffer(lines)
        parcels[parcels.count - 1].items.append(item)
    }

    /// Hands the parcels over in order, waits for each, and settles its bundles.
    private func deliver(_ parcels: inout [Parcel], _ queue: WorkQueue) async throws(Stopped) {
        if parcels.isEmpty { return }
        let taken = parcels
        parcels = []
        var handed: [(batch: Batch, receipt: Receipt)] = []
        for parcel in taken {
            let batch = batch(parcel.lines, work: parcel.work)
            handed.append((batch, try await hand(batch)))
        }
        for (parcel, (batch, receipt)) in zip(taken, handed) {
            try await wait(for: receipt, of: batch)
            for item in parcel.items { settle(item, .delivered(objects: item.objects), queue) }
        }
    }

    private func settle(_ item: Item, _ ending: WorkQueue.Ending, _ queue: WorkQueue) {
        let bytes = item.record?.bytes ?? Int64(item.stored.payload.readableBytes)
        queue.settle(item.stored.offsets, item.record, bytes: bytes, ending)
    }

    // MARK: The routes

    func batch(_ lines: ByteBuffer, work: WorkID?) -> Batch {
        var attributes = ["connector": connector]
        if let work { attributes["work"] = work }
        return Batch.lines(
            lines,
            context: BatchContext(
                kind: .json, source: connector, received: world.time.wall, attributes: attributes))
    }

    func hand(_ batch: Batch) async throws(Stopped) -> Receipt {
        while true {
            do throws(IntakeRefusal) {
                return try await workers.intake.accept(batch, deadline: nil)
            } catch {
                guard case .full(_, let retryAfter) = error, !workers.isStopping else { throw Stopped() }
                do { try await world.time.sleep(for: retryAfter ?? .seconds(1)) } catch { throw Stopped() }
            }
        }
    }

    /// Until the batch is kept: what nobody has is handed over again, with growing pauses.
    func wait(for receipt: Receipt, of batch: Batch) async throws(Stopped) {
        var receipt = receipt
        var backoff = Backoff(first: .seconds(1), most: .seconds(60))
        while case .lost = await receipt.settled() {
            if workers.isStopping { throw Stopped() }
            let pause = backoff.failed(at: world.time.now, random: world.random)
            do { try await world.time.sleep(for: pause) } catch { throw Stopped() }
            if workers.isStopping { throw Stopped() }
            receipt = try await hand(batch)
        }
    }

    // MARK: Poison

    /// Makes a dead letter of a bundle, and only then lets the queue forget it.
    private func bury(
        _ item: Item, _ bytes: ByteBuffer, _ mistake: BundleMistake, attempts: Int, _ queue: WorkQueue
    ) async throws(Stopped) {
        var encoding: BundleHead.Encoding?
        if case .inline(let known, _) = item.record?.body { encoding = known }
        try await bury(
            bytes, mistake, attempts: attempts, PoisonContext(encoding: encoding, work: item.record?.work))
        settle(item, .buried(mistake), queue)
    }

    func bury(
        _ bytes: ByteBuffer, _ mistake: BundleMistake, attempts: Int, _ context: PoisonContext
    ) async throws(Stopped) {
        let letter = DeadLetter(
            event: bytes, kind: EventKind.raw.rawValue, destination: "connectors", source: connector,
            code: mistake.code, message: mistake.sentence, attempts: attempts, time: world.time.wall,
            context: context.text)
        var backoff = Backoff(first: .seconds(1), most: .seconds(60))
        while true {
            do throws(StoreFailure) {
                return try await workers.deadLetters.append(letter)
            } catch {
                if workers.isStopping { throw Stopped() }
                world.log.error(
                    "a dead letter cannot be written",
                    metadata: ["connector": "\(connector)", "error.kind": "\(error.code)"])
                let pause = backoff.failed(at: world.time.now, random: world.random)
                do { try await world.time.sleep(for: pause) } catch { throw Stopped() }
            }
        }
    }
}
