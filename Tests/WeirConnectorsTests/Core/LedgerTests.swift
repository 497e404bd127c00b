import Foundation
import Testing
import WeirStore
import WeirTestKit
import WeirWorld

@Suite("The ledger")
struct LedgerTests {
    private let stage = CoreStage()
    private var path: String { stage.directory + "/ledger.db" }
    private let wall = WallTime(secondsSince1970: 1_000)

    private func open() async throws -> Ledger { try await Ledger.open(path: path, world: stage.world) }

    private func document(_ id: String, owner: String = "", at time: Double = 0, _ text: String = "{}") -> LedgerChange
    {
        .put {
            LedgerDocument(
                collection: "things", id: id, owner: owner, time: WallTime(secondsSince1970: time),
                body: Array(text.utf8))
        }
    }

    @Test("gives back what was committed, byte for byte, after it was opened again")
    func survives() async throws {
        var ledger = try await open()
        try await ledger.commit([document("a", "e\u{301}\u{0}x"), document("b"), document("b", "new")])
        try await ledger.commit([.remove(collection: "things", id: "none")])
        await ledger.close()
        ledger = try await open()
        let found = try await ledger.documents(in: "things")
        #expect(found.map(\.id) == ["a", "b"])
        #expect(found.first?.body == Array("e\u{301}\u{0}x".utf8) && found.last?.body == Array("new".utf8))
        await ledger.close()
    }

    private func document(_ id: String, _ text: String) -> LedgerChange { document(id, owner: "", at: 0, text) }

    @Test("lists the newest of an owner first, and removes them together")
    func owners() async throws {
        let ledger = try await open()
        try await ledger.commit((0..<5).map { document("\($0)", owner: $0 < 4 ? "x" : "y", at: Double($0)) })
        #expect(try await ledger.documents(in: "things", owner: "x", most: 2).map(\.id) == ["3", "2"])
        #expect(try await ledger.newestDocuments(in: "things", most: 2).map(\.id) == ["4", "3"])
        try await ledger.commit([.removeAll(collection: "things", owner: "x")])
        #expect(try await ledger.documents(in: "things").map(\.id) == ["4"])
        await ledger.close()
    }

    @Test("writes all changes of a commit or none")
    func atomic() async throws {
        struct Mishap: Error {}
        let ledger = try await open()
        await #expect(throws: StoreFailure.self) {
            try await ledger.commit([document("a"), .put { throw Mishap() }])
        }
        #expect(try await ledger.documents(in: "things").isEmpty)
        await ledger.close()
    }

    @Test("shares a transaction among those that wait")
    func groups() async throws {
        let ledger = try await open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<400 {
                let change = document("\(number)")
                group.addTask { try await ledger.commit([change]) }
            }
            try await group.waitForAll()
        }
        #expect(try await ledger.documents(in: "things").count == 400)
        #expect(ledger.transactions < 400)
        await ledger.close()
    }

    @Test("keeps who did what, when and why")
    func audit() async throws {
        let ledger = try await open()
        let first = AuditEntry(time: wall, who: "ada", action: "pause", subject: "kev", why: "too much")
        try await ledger.commit([.audit(first), .audit(.init(time: wall, who: "bob", action: "run_now", subject: "x"))])
        let all = try await ledger.audit(most: 10)
        #expect(all.map(\.who) == ["bob", "ada"] && all.last?.why == "too much" && all.last?.time == wall)
        #expect(try await ledger.audit(subject: "kev", most: 10).count == 1)
        await ledger.close()
    }

    @Test("refuses a damaged file with words that help, and leaves it as it is")
    func damaged() async throws {
        let ledger = try await open()
        try await ledger.commit((0..<2_000).map { document("\($0)", String(repeating: "x", count: 100)) })
        await ledger.close()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for offset in stride(from: 8_192, to: 40_960, by: 7) { bytes[offset] ^= 0x5A }
        try bytes.write(to: URL(fileURLWithPath: path))
        await expectRefusal("damaged", "restore a copy")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
        try Data("no database at all, but long enough to be looked at by SQLite".utf8).write(
            to: URL(fileURLWithPath: path))
        await expectRefusal("damaged", "left as it is")
    }

    @Test("refuses the file of a newer Weir, and that of another program, and leaves them as they are")
    func foreign() async throws {
        await (try await open()).close()
        // SQLite's header: the user version at 60, the application's id at 68, both big-endian.
        for (offset, code) in [(63, "newer_format"), (68, "damaged")] {
            let sound = try Data(contentsOf: URL(fileURLWithPath: path))
            var bytes = sound
            bytes[offset] = 0x63
            try bytes.write(to: URL(fileURLWithPath: path))
            await expectRefusal(code, "left as it is")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
            try sound.write(to: URL(fileURLWithPath: path))
        }
        await (try await open()).close()
    }

    private func expectRefusal(_ code: String, _ words: String) async {
        do {
            await (try await open()).close()
            Issue.record("the ledger was opened")
        } catch {
            let failure = error as? StoreFailure
            #expect(failure?.code == code && failure?.description.contains(words) == true, "\(error)")
        }
    }

    @Test("says that it is closed")
    func closed() async throws {
        let ledger = try await open()
        await ledger.close()
        await #expect(throws: StoreFailure.closed) { try await ledger.commit([]) }
        await #expect(throws: StoreFailure.closed) { _ = try await ledger.documents(in: "things") }
    }
}
