import NIOCore
import Synchronization
import Testing
import WeirStore
import WeirTestKit
import WeirWorld

@Suite struct DeadLettersTests {
    private func letter(_ number: Int, status: Int? = 400, message: String = "no such field") -> DeadLetter {
        DeadLetter(
            event: ByteBuffer(string: "event \(number)"), kind: 1, destination: "siem", source: "edge", status: status,
            code: "http_400", message: message, attempts: number, time: WallTime(nanoseconds: 1_700_000_000_000_000_000)
        )
    }

    private func open(_ disk: SimulatedDisk, maxSize: Int64 = 1 << 20, onFull: DeadLetters.OnFull = .dropOldest)
        async throws -> DeadLetters
    {
        try await DeadLetters.open(
            directory: "/dead/siem", name: "siem", maxSize: maxSize, onFull: onFull, minFree: 0,
            world: simulatedWorld(disk))
    }

    @Test("A letter comes back with all that was said of it, also after a restart")
    func roundTrip() async throws {
        let disk = SimulatedDisk(seed: 1)
        let letters = try await open(disk)
        let sent = [
            letter(0), letter(1, status: nil, message: String(repeating: "ü", count: 3_000)), letter(2, message: ""),
        ]
        #expect(try await letters.append(sent) == 0)
        await letters.close()
        let again = try await open(disk)
        let entries = try await again.list(limit: 10)
        #expect(entries.count == 3)
        #expect(entries[0].letter == sent[0])
        #expect(entries[2].letter == sent[2])
        #expect(entries[1].letter.status == nil)
        #expect(entries[1].letter.message.utf8.count == 2_048)
        #expect(try await again.show(entries[1].id)?.letter.attempts == 1)
        #expect(try await again.show(QueueOffset(7)) == nil)
        #expect(again.level.events == 3)
    }

    @Test("Pages follow each other without gap or overlap")
    func pages() async throws {
        let letters = try await open(SimulatedDisk(seed: 1))
        _ = try await letters.append((0..<25).map { letter($0) })
        var seen: [Int] = []
        var last: QueueOffset?
        while true {
            let page = try await letters.list(limit: 7, after: last)
            guard let newest = page.last?.id else { break }
            seen += page.map(\.letter.attempts)
            last = newest
        }
        #expect(seen == Array(0..<25))
    }

    @Test("Chosen letters are sent again and taken out, the others stay, over a restart and a power cut")
    func replay() async throws {
        let disk = SimulatedDisk(seed: 1)
        let letters = try await open(disk)
        _ = try await letters.append((0..<600).map { letter($0) })
        let sent = Mutex<[Int]>([])
        let count = try await letters.replay(
            where: { $0.letter.attempts % 3 == 0 },
            send: { entry in sent.withLock { $0.append(entry.letter.attempts) } })
        #expect(count == 200)
        #expect(sent.withLock { $0 } == (0..<600).filter { $0 % 3 == 0 })
        #expect(letters.level.events == 400)
        disk.crash()
        let again = try await open(disk)
        #expect(again.level.events == 400)
        #expect(try await again.list(limit: 1_000).map(\.letter.attempts) == (0..<600).filter { $0 % 3 != 0 })
        #expect(try await again.replay { _ in } == 400)
        #expect(again.level.events == 0)
        #expect(try await again.list(limit: 10).isEmpty)
    }

    private struct Refused: Error {}

    @Test("A replay that fails stops there and keeps the rest")
    func failedReplay() async throws {
        let letters = try await open(SimulatedDisk(seed: 1))
        _ = try await letters.append((0..<10).map { letter($0) })
        await #expect(throws: Refused.self) {
            _ = try await letters.replay { entry in if entry.letter.attempts == 4 { throw Refused() } }
        }
        #expect(try await letters.list(limit: 100).map(\.letter.attempts) == Array(4..<10))
    }

    @Test("A full log drops the oldest or the newest, as told, and says how many")
    func full() async throws {
        for onFull in [DeadLetters.OnFull.dropOldest, .dropNewest] {
            let letters = try await open(SimulatedDisk(seed: 1), maxSize: 64_000, onFull: onFull)
            var dropped = 0
            for number in 0..<1_000 { dropped += try await letters.append([letter(number)]) }
            #expect(dropped > 0)
            #expect(letters.level.events == Int64(1_000 - dropped))
            #expect(letters.level.diskBytes <= 64_000)
            let kept = try await letters.list(limit: 2_000).map(\.letter.attempts)
            #expect(kept == (onFull == .dropOldest ? Array((1_000 - kept.count)..<1_000) : Array(0..<kept.count)))
        }
    }
}
