import Logging
import NIOCore
import WeirFlow
import WeirGates
import WeirStore
import WeirWorld

/// Delivers a bundle that lies in a file: read twice, piece by piece. First it is checked as a whole, so that a broken
/// one is a dead letter as a whole; then its objects go out in batches, a few of them on their way at once.
struct SpooledDelivery {
    let turn: WorkTurn
    let encoding: BundleHead.Encoding
    let file: String
    let spool: BundleSpool
    /// Of the file; for people.
    let bytes: Int64?

    private static let pieceBytes = 256 << 10
    private static let batchBytes = 512 << 10
    /// Batches that are handed over and not settled.
    private static let batchesOnTheWay = 4
    /// Of a broken bundle, what stands in its dead letter; the whole is in a file.
    private static let excerptBytes = 64 << 10

    private enum Failure: Error {
        /// The same every time.
        case mistake(BundleMistake)
        /// May pass.
        case unreadable(StoreFailure)
        case stopped
    }

    /// - Returns: how it ended; the caller counts it.
    func run(work: WorkID?) async throws(WorkTurn.Stopped) -> WorkQueue.Ending {
        var attempts = 0
        var backoff = Backoff(first: .seconds(1), most: .seconds(30))
        while true {
            attempts += 1
            do throws(Failure) {
                _ = try await read()
                return .delivered(objects: try await deliver(work))
            } catch {
                switch error {
                case .stopped: throw WorkTurn.Stopped()
                case .mistake(let mistake): return try await bury(work, mistake, attempts)
                case .unreadable(let failure):
                    let settings = turn.workers.settings
                    if attempts >= settings.attemptsMostOf[turn.connector] ?? settings.attemptsMost {
                        let mistake = BundleMistake(
                            "unreadable_file", "The bundle's file \(file) cannot be read: \(failure)")
                        return try await bury(work, mistake, attempts)
                    }
                    let world = turn.workers.world
                    let pause = backoff.failed(at: world.time.now, random: world.random)
                    do { try await world.time.sleep(for: pause) } catch { throw WorkTurn.Stopped() }
                    if turn.workers.isStopping { throw WorkTurn.Stopped() }
                }
            }
        }
    }

    /// Goes through the file.
    /// - Parameters:
    ///   - took: gets objects in order, whenever there are enough for a batch, and at the end; `nil` only checks.
    /// - Returns: how many objects there are.
    private func read(
        _ took: ((ByteBuffer) async throws(Failure) -> Void)? = nil
    ) async throws(Failure) -> Int {
        var cutter = encoding.cutter(keeps: took != nil)
        var offset: Int64 = 0
        while true {
            let piece: ByteBuffer
            do throws(StoreFailure) {
                piece = try await spool.read(file, at: offset, count: Self.pieceBytes)
            } catch {
                throw .unreadable(error)
            }
            if piece.readableBytes == 0 { break }
            offset += Int64(piece.readableBytes)
            do throws(BundleMistake) {
                try piece.withUnsafeReadableBytes { bytes throws(BundleMistake) in try cutter.feed(bytes) }
            } catch {
                throw .mistake(error)
            }
            if cutter.lines.readableBytes >= Self.batchBytes { try await took?(cutter.takeLines()) }
        }
        do throws(BundleMistake) { try cutter.finish() } catch { throw .mistake(error) }
        if cutter.lines.readableBytes > 0 { try await took?(cutter.takeLines()) }
        return cutter.count
    }

    private func deliver(_ work: WorkID?) async throws(Failure) -> Int {
        var onTheWay: [(batch: Batch, receipt: Receipt)] = []
        let count = try await read { lines throws(Failure) in
            let batch = turn.batch(lines, work: work)
            do throws(WorkTurn.Stopped) {
                if onTheWay.count >= Self.batchesOnTheWay {
                    let first = onTheWay.removeFirst()
                    try await turn.wait(for: first.receipt, of: first.batch)
                }
                onTheWay.append((batch, try await turn.hand(batch)))
            } catch {
                throw .stopped
            }
        }
        do throws(WorkTurn.Stopped) {
            for (batch, receipt) in onTheWay { try await turn.wait(for: receipt, of: batch) }
        } catch {
            throw .stopped
        }
        return count
    }

    private func bury(
        _ work: WorkID?, _ mistake: BundleMistake, _ attempts: Int
    ) async throws(WorkTurn.Stopped) -> WorkQueue.Ending {
        let excerpt = (try? await spool.read(file, at: 0, count: Self.excerptBytes)) ?? ByteBuffer()
        var mistake = mistake
        var isAside = false
        do throws(StoreFailure) {
            let aside = try await spool.putAside(file, most: turn.workers.settings.deadLettersMost)
            mistake.sentence += " This is its beginning; the whole bundle is in the file \(aside.path)."
            isAside = true
            if aside.removed > 0 {
                turn.workers.world.log.error(
                    "large dead letters took too much room; the oldest were removed",
                    metadata: ["connector": "\(turn.connector)", "dropped.letters": "\(aside.removed)"])
            }
        } catch {
            mistake.sentence += " Its file could not be put aside: \(error)."
        }
        let context = PoisonContext(
            encoding: isAside ? encoding : nil, work: work, file: isAside ? file : nil, bytes: bytes)
        try await turn.bury(excerpt, mistake, attempts: attempts, context)
        return .buried(mistake)
    }
}
