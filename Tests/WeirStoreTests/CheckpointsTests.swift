import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirStore

@Suite struct CheckpointsTests {
    @Test("Values come back after a restart and after a power cut")
    func survive() async throws {
        for seed in 0..<40 as Range<UInt64> {
            let disk = SimulatedDisk(seed: seed)
            let world = simulatedWorld(disk)
            let marks = try await Checkpoints.open(path: "/data/files.marks", world: world)
            marks.set("12:345", for: "/var/log/a b")
            marks.set("1", for: "gone")
            try await marks.flush()
            marks.set(nil, for: "gone")
            marks.set("12:900", for: "/var/log/a b")
            if seed % 2 == 0 { try await marks.flush() }
            disk.crash()
            let again = try await Checkpoints.open(path: "/data/files.marks", world: world)
            #expect(!again.wasDamaged)
            #expect(again.value(for: "/var/log/a b") == (seed % 2 == 0 ? "12:900" : "12:345"))
            #expect(again.keys == (seed % 2 == 0 ? ["/var/log/a b"] : ["/var/log/a b", "gone"]))
        }
    }

    @Test("Killed at every step, the file is the old one or the new one")
    func everyStep() async throws {
        for step in 1..<20 {
            let disk = SimulatedDisk(seed: UInt64(step))
            let world = simulatedWorld(disk)
            let marks = try await Checkpoints.open(path: "/data/m", world: world)
            marks.set("old", for: "key")
            try await marks.flush()
            disk.setLife(operations: step)
            marks.set("new", for: "key")
            let isWritten = (try? await marks.flush()) != nil
            disk.crash()
            let again = try await Checkpoints.open(path: "/data/m", world: world)
            let value = again.value(for: "key")
            #expect(isWritten ? value == "new" : value == "old" || value == "new")
        }
    }

    @Test("A damaged file is kept aside and everything starts anew", arguments: [0, 9, 14, 20, 30])
    func damaged(_ place: Int) async throws {
        let disk = SimulatedDisk(seed: 1)
        let world = simulatedWorld(disk)
        let marks = try await Checkpoints.open(path: "/data/m", world: world)
        marks.set("value", for: "some key")
        await marks.close()
        var bytes = try #require(disk.contents("/data/m"))
        bytes[place] ^= 0x10
        disk.put(bytes, in: "/data/m")
        let again = try await Checkpoints.open(path: "/data/m", world: world)
        #expect(again.wasDamaged)
        #expect(again.keys == [])
        #expect(disk.contents("/data/m.damaged") == bytes)
    }

    @Test("A write that failed is tried again with the next one")
    func retried() async throws {
        let disk = SimulatedDisk(seed: 1)
        let marks = try await Checkpoints.open(path: "/data/m", world: simulatedWorld(disk))
        marks.set("1", for: "key")
        disk.setReadOnly(true)
        await #expect(throws: StoreFailure.self) { try await marks.flush() }
        disk.setReadOnly(false)
        await marks.close()
        #expect(try await Checkpoints.open(path: "/data/m", world: simulatedWorld(disk)).value(for: "key") == "1")
    }
}
