internal import Logging
internal import NIOCore
internal import WeirFlow
internal import WeirGates
internal import WeirStore
internal import WeirWorld

/// One turn of one connector's inbox: unpacks bundles, hands their objects to the routes, waits until they are
/// settled, writes that down, and only then acknowledges them to RabbitMQ. In this order a crash at any point means
/// that bundles come again, and never that one is lost.
struct BrokerTurn: Sendable {
    let turn: WorkTurn
    let inbox: BrokerInbox
    let spool: BundleSpool
    let acknowledge: @Sendable ([BrokerDelivery]) -> Void

    typealias Bundle = BrokerInbox.Bundle
    private typealias Settled = (bundle: Bundle, ending: WorkQueue.Ending)

    /// Bundles of one work that travel as one batch.
    private struct Parcel: Sendable {
        var work: WorkID?
        var lines = ByteBuffer()
        var bundles: [(bundle: Bundle, objects: Int)] = []
    }

    private static let batchBytes = 512 << 10

    func run(_ bundles: [Bundle]) async throws(WorkTurn.Stopped) {
        var parcels: [Parcel] = []
        for bundle in bundles {
            if inbox.wasSettled(bundle) {
                // Its acknowledgement was lost with the connection.
                inbox.forget(bundle.delivery)
                if case .spooled(let name) = bundle.body { spool.remove([name]) }
                acknowledge([bundle.delivery])
                continue
            }
            switch bundle.body {
            case .inline(let bytes):
                do throws(BundleMistake) {
                    let (lines, count) = try BundleHead.Encoding.message.cut(bytes)
                    gather(bundle, lines, count, &parcels)
                } catch {
                    try await deliver(&parcels)
                    try await turn.bury(
                        bytes, error, attempts: 1, PoisonContext(encoding: .message, work: bundle.work))
                    try await settle([(bundle, .buried(error))])
                }
            case .spooled(let name):
                try await deliver(&parcels)
                let spooled = SpooledDelivery(
                    turn: turn, encoding: .message, file: name, spool: spool,
                    bytes: Int64(clamping: bundle.delivery.byteCount))
                let ending = try await spooled.run(work: bundle.work)
                try await settle([(bundle, ending)])
                // Of a dead letter the file is kept, in another place.
                spool.remove([name])
            }
        }
        try await deliver(&parcels)
    }

    private func gather(_ bundle: Bundle, _ lines: ByteBuffer, _ objects: Int, _ parcels: inout [Parcel]) {
        let isFull = parcels.last.map { $0.lines.readableBytes + lines.readableBytes > Self.batchBytes } ?? true
        if isFull || parcels.last?.work != bundle.work { parcels.append(Parcel(work: bundle.work)) }
        parcels[parcels.count - 1].lines.writeImmutableBuffer(lines)
        parcels[parcels.count - 1].bundles.append((bundle, objects))
    }

    private func deliver(_ parcels: inout [Parcel]) async throws(WorkTurn.Stopped) {
        if parcels.isEmpty { return }
        let taken = parcels
        parcels = []
        var handed: [(batch: Batch, receipt: Receipt)] = []
        for parcel in taken {
            let batch = turn.batch(parcel.lines, work: parcel.work)
            handed.append((batch, try await turn.hand(batch)))
        }
        for (parcel, (batch, receipt)) in zip(taken, handed) {
            try await turn.wait(for: receipt, of: batch)
            try await settle(parcel.bundles.map { ($0.bundle, .delivered(objects: $0.objects)) })
        }
    }

    // MARK: Counting

    private func settle(_ settled: [Settled]) async throws(WorkTurn.Stopped) {
        let book = turn.workers.book
        let world = turn.workers.world
        for work in Set(settled.compactMap(\.bundle.work)).sorted() { await book.load(work) }
        let wall = world.time.wall
        book.withSlot(turn.connector) { slot, state in
            for (bundle, ending) in settled { state.countPassed(bundle, ending, of: turn.connector, &slot, wall) }
            _ = slot.trouble(nil, at: wall)
            slot.isDirty = true
        }
        var backoff = Backoff(first: .seconds(1), most: .seconds(30))
        while true {
            do throws(StoreFailure) {
                try await book.write(turn.connector)
                break
            } catch {
                world.log.error(
                    "what was delivered cannot be written down, so it is not acknowledged yet",
                    metadata: ["connector": "\(turn.connector)", "error.kind": "\(error.code)"])
                if turn.workers.isStopping { throw WorkTurn.Stopped() }
                let pause = backoff.failed(at: world.time.now, random: world.random)
                do { try await world.time.sleep(for: pause) } catch { throw WorkTurn.Stopped() }
            }
        }
        for (bundle, _) in settled { inbox.settled(bundle) }
        acknowledge(settled.map(\.bundle.delivery))
    }
}

extension ConnectorBook.State {
    /// Counts a bundle as pushed and dealt with at once: it waited in RabbitMQ, not in a queue of Weir's.
    fileprivate mutating func countPassed(
        _ bundle: BrokerInbox.Bundle, _ ending: WorkQueue.Ending, of connector: ConnectorID, _ slot: inout QueueSlot,
        _ wall: WallTime
    ) {
        registry.pushed(connector)
        slot.marks.countPassed(bytes: Int64(clamping: bundle.delivery.byteCount))
        if case .delivered(let objects) = ending { slot.counted(objects: objects) }
        if case .buried = ending { slot.marks.deadLettered &+= 1 }
        guard let work = bundle.work, works[work]?.connector == connector else { return }
        works.change(work, at: wall) { work in
            work.pushed += 1
            work.count(ending, at: wall)
        }
    }
}
