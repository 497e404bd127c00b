internal import Logging
package import NIOCore
import Synchronization
package import WeirFlow
package import WeirGates
import WeirStore
package import WeirWorld

extension DeliveryChain {
    /// A dead letter, for people.
    package struct DeadLetterReading: Sendable {
        package var at: WallTime
        package var reason: Reason
        package var attempts: Int
        package var source: String
        package var kind: EventKind
        package var content: ByteBuffer
    }

    /// Letters written with one sync; more are written in several goes, so that memory stays bounded.
    private static let lettersAtOnce = 1_000
    private static let lettersFull = Reason(
        "dead_letters_full", "The dead letters are full, and refused events must not be lost.")

    func openDeadLetters() async throws {
        guard let queueDirectory else { return }
        let letters = try await DeadLetters.open(
            directory: queueDirectory + "/dead-letters", name: name + "-dead",
            maxSize: settings.deadLetters.maxSize.bytes,
            onFull: settings.deadLetters.onFull == .dropOldest ? .dropOldest : .dropNewest,
            minFree: settings.deadLetters.minFree?.bytes, world: world)
        self.letters.withLock { $0 = letters }
    }

    /// How many dead letters there are, and what they take on disk.
    package var deadLetterLevel: (events: Int64, bytes: Int64) {
        let level = letters.withLock { $0 }?.level
        return (level?.events ?? 0, level?.bytes ?? 0)
    }

    /// Writes down what a receiver refused. Without a directory it is dropped and counted; so it is when there is no
    /// room or the disk fails, except with `on_full: block`, where it must wait.
    func bury(_ refusals: [ShipmentRun.Refusal]) async -> ShipmentRun.Burial {
        var burial = ShipmentRun.Burial()
        guard let letters = letters.withLock({ $0 }) else {
            for refusal in refusals { burial.dropped[refusal.reason.code, default: 0] += refusal.batch.count }
            return burial
        }
        var page: [DeadLetter] = []
        let wall = world.time.wall
        for refusal in refusals {
            for index in 0..<refusal.batch.count {
                page.append(
                    DeadLetter(
                        event: refusal.batch.event(at: index), kind: refusal.batch.kind.rawValue, destination: name,
                        source: refusal.batch.context.source, status: Self.status(of: refusal.reason.code),
                        code: refusal.reason.code, message: refusal.reason.sentence, attempts: refusal.attempts,
                        time: wall))
                if page.count == Self.lettersAtOnce {
                    await append(page, to: letters, &burial)
                    if burial.waits != nil { return burial }
                    page = []
                }
            }
        }
        await append(page, to: letters, &burial)
        return burial
    }

    private func append(_ page: [DeadLetter], to letters: DeadLetters, _ burial: inout ShipmentRun.Burial) async {
        if page.isEmpty { return }
        let mustWait = settings.deadLetters.onFull == .block
        if mustWait {
            let bytes = page.reduce(0) { $0 + $1.event.readableBytes + 256 }
            if letters.level.diskBytes + Int64(bytes) > settings.deadLetters.maxSize.bytes {
                burial.waits = Self.lettersFull
                return
            }
        }
        do throws(StoreFailure) {
            let dropped = try await letters.append(page)
            if mustWait && dropped > 0 {
                // They are larger than was reckoned, and none was written.
                burial.waits = Self.lettersFull
                return
            }
            let isNewest = settings.deadLetters.onFull != .dropOldest
            burial.kept += isNewest ? page.count - dropped : page.count
            if isNewest && dropped > 0 { burial.dropped["dead_letters_full", default: 0] += dropped }
            if dropped > 0 {
                world.log.error(
                    "The dead letters are full; some were dropped.",
                    metadata: ["destination": "\(name)", "dropped.events": "\(dropped)"])
            }
        } catch {
            if mustWait {
                burial.waits = Reason(
                    "dead_letter_\(error.code)",
                    "Refused events must not be lost, and the dead letters cannot be written: \(error.reason.sentence)")
                return
            }
            burial.dropped["dead_letter_\(error.code)", default: 0] += page.count
            world.log.error(
                "Dead letters could not be written and are lost.",
                metadata: ["destination": "\(name)", "error.kind": "\(error.code)", "dropped.events": "\(page.count)"])
        }
    }

    /// `http_404` → 404.
    private static func status(of code: String) -> Int? {
        guard let digits = code.split(separator: "_").last, digits.count == 3 else { return nil }
        return Int(digits)
    }

    /// The oldest dead letters.
    package func deadLetters(limit: Int) async throws -> [DeadLetterReading] {
        guard let letters = letters.withLock({ $0 }) else { return [] }
        return try await letters.list(limit: limit).map { entry in
            DeadLetterReading(
                at: entry.letter.time, reason: Reason(entry.letter.code, entry.letter.message),
                attempts: entry.letter.attempts,
                source: entry.letter.source, kind: EventKind(rawValue: entry.letter.kind) ?? .raw,
                content: entry.letter.event)
        }
    }

    /// Why a replay ended early; what was not sent is still there.
    package struct ReplayFailure: Error, CustomStringConvertible {
        package var sent: Int
        package var reason: Reason
        package var description: String { "\(reason.sentence) \(sent) dead letters were sent before." }
    }

    /// Sends the dead letters that are there now again, through the gate like everything else. A letter is taken out
    /// when the destination (or its queue) has it; one that is refused again comes back as a new letter.
    /// - Returns: how many were sent.
    package func replayDeadLetters() async throws -> Int {
        guard let letters = letters.withLock({ $0 }) else { return 0 }
        var left = Int(clamping: letters.level.events)
        var sent = 0
        while left > 0 {
            let page = try await letters.list(limit: min(256, left))
            guard let first = page.first else { break }
            // One batch has one source and one kind.
            let run = page.prefix { $0.letter.source == first.letter.source && $0.letter.kind == first.letter.kind }
            let batch = Batch.events(
                run.map(\.letter.event),
                context: BatchContext(
                    kind: EventKind(rawValue: first.letter.kind) ?? .raw, source: first.letter.source,
                    received: first.letter.time))
            let deadline = world.time.now + .seconds(30)
            do {
                let receipt = try await accept(batch, deadline: deadline)
                switch await settlement(of: receipt, until: deadline) {
                case .kept: break
                case .lost(let reason): throw ReplayFailure(sent: sent, reason: reason)
                case nil:
                    throw ReplayFailure(
                        sent: sent, reason: Reason("not_delivered", "The destination did not take them within 30 s."))
                }
            } catch let failure as IntakeRefusal {
                if case .full(let reason, _) = failure { throw ReplayFailure(sent: sent, reason: reason) }
                throw ReplayFailure(sent: sent, reason: Reason("stopped", "Weir stops."))
            }
            try await letters.remove(run.map(\.id))
            sent += run.count
            left -= run.count
        }
        return sent
    }

    /// `nil` when it was not settled in time.
    private func settlement(of receipt: Receipt, until deadline: Moment) async -> Settlement? {
        let settled = Alarm()
        receipt.whenSettled { _ in settled.poke() }
        while receipt.settlement == nil, world.time.now < deadline, !Task.isCancelled {
            await settled.wait(until: deadline, world.time)
        }
        return receipt.settlement
    }
}
