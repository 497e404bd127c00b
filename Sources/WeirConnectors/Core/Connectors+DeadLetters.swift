package import NIOCore
import Synchronization
package import WeirGates
import WeirStore
package import WeirWorld

/// A bundle that could not be unpacked, for people.
package struct ConnectorDeadLetter: Sendable {
    /// Its place in the log.
    package var id: UInt64
    package var at: WallTime
    package var reason: Reason
    package var attempts: Int
    package var work: WorkID?
    /// Of the whole bundle; `nil` where nobody has written it down.
    package var bytes: Int64?
    /// Its beginning, or all of it.
    package var content: ByteBuffer
    package var isWhole: Bool
    /// The file with the whole of a large one.
    package var file: String?
    /// False for one of which only a part is left.
    package var canReplay: Bool
}

// What people do with the dead letters of a connector: look at them, push them once more, discard them.
extension Connectors {
    /// Of a letter in a list.
    static let letterExcerpt = 4 << 10
    private static let pageOfLetters = 16

    /// Oldest first, with the beginning of each.
    package func deadLetters(of id: ConnectorID, most: Int) async throws(ConnectorFailure) -> [ConnectorDeadLetter] {
        guard book.with({ $0.registry[id] != nil }) else { throw .unknown(id) }
        var letters: [ConnectorDeadLetter] = []
        var last: QueueOffset?
        while letters.count < most {
            let page = try await page(id, after: last, most: min(Self.pageOfLetters, most - letters.count))
            guard let newest = page.last?.id else { break }
            letters += page.map { letter($0, of: id, excerpt: Self.letterExcerpt) }
            last = newest
        }
        return letters
    }

    /// `nil` when there is no such letter (any more).
    package func deadLetter(_ letter: UInt64, of id: ConnectorID) async throws(ConnectorFailure) -> ConnectorDeadLetter?
    {
        guard let entry = try await entry(letter, of: id) else { return nil }
        return self.letter(entry, of: id, excerpt: nil)
    }

    /// Pushes letters into the connector's work queue once more, oldest first, through its gate. One that still cannot
    /// be unpacked comes back as a new letter; one of which only a part is left stays.
    /// - Parameter only: one letter; all that are there now with `nil`.
    /// - Returns: how many were pushed.
    package func replayDeadLetters(
        of id: ConnectorID, only letter: UInt64?, by who: String, why: String
    ) async throws(ConnectorFailure) -> Int {
        try await note("replay_dead_letters", of: id, by: who, why: why)
        return try await eachLetter(of: id, only: letter) { entry throws(ConnectorFailure) in
            let context = PoisonContext(text: entry.letter.context)
            guard let encoding = context.encoding else {
                if letter == nil { return false }
                throw ConnectorFailure(.invalid, "Only a part of this bundle is left, so it cannot be pushed again.")
            }
            let isOpen = book.with { $0.slots[id].map { $0.gate.push(reserved: $0.reserved) == .pass } ?? true }
            guard isOpen else {
                throw ConnectorFailure(.held, "The gate connector/\(id) holds pushes; wait until it is open.")
            }
            let head = BundleHead(connector: id, work: context.work, encoding: encoding)
            // What its gate does not let in by then is let in all the same: there was room a moment ago.
            let reception = try await beginPush(head, deadline: world.time.now + .seconds(30))
            do throws(ConnectorFailure) {
                if let file = context.file {
                    try await copy(file, queues[id].spool, into: reception)
                } else {
                    try await reception.write(entry.letter.event)
                }
            } catch {
                await reception.abandon()
                throw error
            }
            try await reception.finish()
            return true
        }
    }

    /// Deletes letters.
    /// - Returns: how many.
    package func discardDeadLetters(
        of id: ConnectorID, only letter: UInt64?, by who: String, why: String
    ) async throws(ConnectorFailure) -> Int {
        try await note("discard_dead_letters", of: id, by: who, why: why)
        return try await eachLetter(of: id, only: letter) { _ in true }
    }

    /// Goes through letters and takes out those that `body` is done with, each when it is.
    private func eachLetter(
        of id: ConnectorID, only letter: UInt64?, _ body: (DeadLetters.Entry) async throws(ConnectorFailure) -> Bool
    ) async throws(ConnectorFailure) -> Int {
        guard book.with({ $0.registry[id] != nil }) else { throw .unknown(id) }
        guard book.with({ $0.handlingLetters.insert(id).inserted }) else {
            throw ConnectorFailure(.held, "Somebody works on the dead letters of this connector just now; try again.")
        }
        defer { book.with { _ = $0.handlingLetters.remove(id) } }
        if let letter {
            guard let entry = try await entry(letter, of: id) else {
                throw ConnectorFailure(.invalid, "There is no dead letter \(letter) of this connector (any more).")
            }
            return try await handle(entry, id, body) ? 1 : 0
        }
        // Not those that come meanwhile: a bundle that is still broken would come again and again, at the end.
        var next = try await page(id, after: nil, most: 1).first
        let most = workers.deadLetters.counts[id] ?? 0
        var count = 0
        for _ in 0..<most {
            guard let entry = next else { break }
            if try await handle(entry, id, body) { count += 1 }
            next = try await page(id, after: entry.id, most: 1).first
        }
        return count
    }

    private func handle(
        _ entry: DeadLetters.Entry, _ id: ConnectorID,
        _ body: (DeadLetters.Entry) async throws(ConnectorFailure) -> Bool
    ) async throws(ConnectorFailure) -> Bool {
        guard try await body(entry) else { return false }
        do throws(StoreFailure) { try await workers.deadLetters.remove([entry.id], of: id) } catch {
            throw ConnectorFailure(error)
        }
        if let file = PoisonContext(text: entry.letter.context).file { queues[id].spool.removeAside(file) }
        return true
    }

    private func copy(
        _ file: String, _ spool: BundleSpool, into reception: any BundleReception
    ) async throws(ConnectorFailure) {
        var offset: Int64 = 0
        while true {
            let piece: ByteBuffer
            do throws(StoreFailure) {
                piece = try await spool.read(file, at: offset, count: 256 << 10)
            } catch {
                throw ConnectorFailure(.storage, "The bundle's file \(file) cannot be read: \(error)")
            }
            if piece.readableBytes == 0 { return }
            offset += Int64(piece.readableBytes)
            try await reception.write(piece)
        }
    }

    // MARK: Looking

    private func page(
        _ id: ConnectorID, after last: QueueOffset?, most: Int
    ) async throws(ConnectorFailure) -> [DeadLetters.Entry] {
        do throws(StoreFailure) {
            return try await workers.deadLetters.open().list(limit: most, after: last) { $0.source == id }
        } catch {
            throw ConnectorFailure(error)
        }
    }

    private func entry(_ letter: UInt64, of id: ConnectorID) async throws(ConnectorFailure) -> DeadLetters.Entry? {
        do throws(StoreFailure) {
            let entry = try await workers.deadLetters.open().show(QueueOffset(letter))
            return entry.flatMap { $0.letter.source == id ? $0 : nil }
        } catch {
            throw ConnectorFailure(error)
        }
    }

    private func letter(_ entry: DeadLetters.Entry, of id: ConnectorID, excerpt: Int?) -> ConnectorDeadLetter {
        let letter = entry.letter
        let context = PoisonContext(text: letter.context)
        let kept = letter.event.readableBytes
        let shown = min(kept, excerpt ?? .max)
        return ConnectorDeadLetter(
            id: entry.id.position, at: letter.time, reason: Reason(letter.code, letter.message),
            attempts: letter.attempts, work: context.work, bytes: context.file == nil ? Int64(kept) : context.bytes,
            content: letter.event.getSlice(at: letter.event.readerIndex, length: shown) ?? ByteBuffer(),
            isWhole: shown == kept && context.file == nil,
            file: context.file.map { queues[id].spool.deadDirectory + "/" + $0 }, canReplay: context.encoding != nil)
    }
}
