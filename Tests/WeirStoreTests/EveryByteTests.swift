import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

/// Every byte of what is beside the queue: dead letters, their list of what was taken out, checkpoints. Never a crash,
/// never a wrong answer; what is lost is only what was hurt.
@Suite struct EveryByteTests {
    enum Damage: CaseIterable { case flip, bit, zero, cut }

    private static func hurt(_ bytes: [UInt8], at place: Int, _ damage: Damage) -> [UInt8] {
        var bytes = bytes
        switch damage {
        case .flip: bytes[place] ^= 0xFF
        case .bit: bytes[place] ^= 1 << UInt8(place % 8)
        case .zero: bytes.replaceSubrange(place..., with: repeatElement(0, count: bytes.count - place))
        case .cut: bytes.removeLast(bytes.count - place)
        }
        return bytes
    }

    private func letter(_ number: Int) -> DeadLetter {
        DeadLetter(
            event: ByteBuffer(string: "event \(number)"), kind: 1, destination: "siem", source: "edge", status: 400,
            code: "http_400", message: "no such field \(number)", attempts: number, time: WallTime(nanoseconds: 0))
    }

    private func open(_ disk: SimulatedDisk) async throws -> DeadLetters {
        try await DeadLetters.open(
            directory: "/dead", name: "siem", maxSize: 1 << 20, minFree: 0, world: simulatedWorld(disk))
    }

    /// Six letters, the fourth taken out.
    private func files(isClosed: Bool) async throws -> [(path: String, bytes: [UInt8])] {
        let disk = SimulatedDisk(seed: 2)
        let letters = try await open(disk)
        _ = try await letters.append((0..<6).map(letter))
        try await letters.remove([try await letters.list(limit: 10)[3].id])
        if isClosed { await letters.close() } else { disk.kill() }
        return disk.paths.map { ($0, disk.contents($0) ?? []) }
    }

    @Test("Dead letters", arguments: Damage.allCases, [true, false])
    func deadLetters(_ damage: Damage, _ isClosed: Bool) async throws {
        let files = try await files(isClosed: isClosed)
        let all = (0..<6).map(letter)
        for (path, bytes) in files where !bytes.isEmpty {
            // Between the two slots of the cursor there is nothing.
            for place in bytes.indices where !path.hasSuffix("/cursor") || place < 48 || place >= 4_096 {
                let disk = SimulatedDisk(seed: 3)
                for file in files { disk.put(file.bytes, in: file.path) }
                disk.put(EveryByteTests.hurt(bytes, at: place, damage), in: path)
                let letters = try await open(disk)
                let found = try await letters.list(limit: 100).map(\.letter)
                let comment = Comment(rawValue: "\(path) byte \(place)")
                #expect(found.allSatisfy(all.contains), comment)
                #expect(found.map(\.attempts) == found.map(\.attempts).sorted(), comment)
                if !path.hasSuffix(".segment") {
                    // Only the list of what was taken out can be lost: then that letter is there again.
                    #expect(Set(found.map(\.attempts)).isSuperset(of: [0, 1, 2, 4, 5]), comment)
                } else if damage == .flip || damage == .bit {
                    #expect(found.count >= 4, comment)
                }
                let sent = try await letters.replay { _ in }
                #expect(sent == found.count, comment)
                #expect(try await letters.list(limit: 100).isEmpty, comment)
            }
        }
    }

    @Test("Checkpoints", arguments: Damage.allCases)
    func checkpoints(_ damage: Damage) async throws {
        let disk = SimulatedDisk(seed: 2)
        let marks = try await Checkpoints.open(path: "/data/m", world: simulatedWorld(disk))
        for number in 0..<5 { marks.set("value \(number)", for: "key \(number)") }
        await marks.close()
        let bytes = try #require(disk.contents("/data/m"))
        for place in bytes.indices {
            let bad = EveryByteTests.hurt(bytes, at: place, damage)
            if bad == bytes { continue }
            let disk = SimulatedDisk(seed: 3)
            disk.put(bad, in: "/data/m")
            let again = try await Checkpoints.open(path: "/data/m", world: simulatedWorld(disk))
            #expect(again.wasDamaged, "byte \(place)")
            #expect(again.keys.isEmpty, "byte \(place)")
            #expect(disk.contents("/data/m.damaged") == bad)
            again.set("new", for: "key")
            await again.close()
        }
    }
}
