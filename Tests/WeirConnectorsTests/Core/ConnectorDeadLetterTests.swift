import NIOCore
import Testing
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("Dead letters of connectors")
struct ConnectorDeadLetterTests {
    private static let large = Sample.bundle([Sample.object(2, padding: 5_000)]) + "}"

    /// A connector with one small and one large bundle that are broken, and one of another.
    private func stage() async throws -> (stage: CoreStage, work: WorkID) {
        let stage = CoreStage { $0.spoolFrom = 2_000 }
        let work = try await stage.live { connectors in
            for id in ["c", "d"] { _ = try await connectors.register(ConnectorRegistration(id: id, name: id)) }
            let work = try await connectors.addWork("c", name: "run", isMultipart: false).id
            try await connectors.push(Sample.push("no bundle", work: work), deadline: nil)
            try await connectors.push(Sample.push(Self.large, work: work), deadline: nil)
            try await connectors.push(Sample.push("none either", to: "d"), deadline: nil)
            #expect(await eventually { connectors.looks(of: ["c", "d"]).map(\.deadLetters) == [2, 1] })
            return work
        }
        return (stage, work)
    }

    @Test("are listed by connector, with why and the beginning of each; the whole of a large one is a file")
    func look() async throws {
        let (stage, work) = try await stage()
        let (listed, shown, counts) = try await stage.live { connectors in
            #expect(
                await eventually { connectors.looks(of: ["c", "d"]).map(\.deadLetters) == [2, 1] },
                "a restart forgets them")
            let listed = try await connectors.deadLetters(of: "c", most: 10)
            #expect(try await connectors.deadLetters(of: "c", most: 1).map(\.id) == listed.prefix(1).map(\.id))
            let shown = try await connectors.deadLetter(listed.last?.id ?? 0, of: "c")
            // One connector cannot see another's.
            #expect(try await connectors.deadLetter(listed.last?.id ?? 0, of: "d") == nil)
            return (listed, shown, try await connectors.deadLetters(of: "d", most: 10).count)
        }
        #expect(listed.map(\.work) == [work, work] && listed.map(\.canReplay) == [true, true] && counts == 1)
        #expect(listed.map(\.attempts) == [1, 1] && listed.map(\.isWhole) == [true, false])
        #expect(String(buffer: listed.first?.content ?? ByteBuffer()) == "no bundle")
        #expect(shown?.content.readableBytes == Self.large.utf8.count)
        let file = try #require(shown?.file)
        #expect(try stage.world.files.status(file)?.length == Int64(Self.large.utf8.count))
    }

    @Test("come back as new ones when they are pushed again and still broken, and their work tells of both")
    func replay() async throws {
        let (stage, work) = try await stage()
        let (before, after, done) = try await stage.live { connectors in
            let before = try await connectors.deadLetters(of: "c", most: 10).map(\.id)
            #expect(try await connectors.replayDeadLetters(of: "c", only: nil, by: "anna", why: "test") == 2)
            #expect(
                await eventually {
                    connectors.looks(of: ["c", "d"]).map(\.deadLetters) == [2, 1] && connectors.isEmpty("c")
                })
            let after = try await connectors.deadLetters(of: "c", most: 10)
            return (before, after, await connectors.work(work))
        }
        #expect(Set(before).isDisjoint(with: after.map(\.id)) && after.count == 2)
        #expect(done?.pushed == 4 && done?.failed == 4 && done?.delivered == 0)
        #expect(after.compactMap(\.file).count == 1)
    }

    @Test("are discarded one by one or all, with their files, and the audit knows who did it and why")
    func discard() async throws {
        let (stage, _) = try await stage()
        let (file, audit) = try await stage.live { connectors in
            let letters = try await connectors.deadLetters(of: "c", most: 10)
            let large = letters.last
            #expect(try await connectors.discardDeadLetters(of: "c", only: large?.id, by: "anna", why: "old") == 1)
            await #expect(throws: ConnectorFailure.self) {
                try await connectors.discardDeadLetters(of: "c", only: large?.id, by: "anna", why: "old")
            }
            #expect(try await connectors.discardDeadLetters(of: "c", only: nil, by: "anna", why: "all") == 1)
            #expect(try await connectors.deadLetters(of: "c", most: 10).isEmpty)
            #expect(try await connectors.deadLetters(of: "d", most: 10).count == 1)
            return (large?.file ?? "", try await connectors.audit(of: "c", most: 10))
        }
        #expect(try stage.world.files.status(file) == nil)
        #expect(audit.map(\.why) == ["all", "old", "old"] && Set(audit.map(\.who)) == ["anna"])
    }

    @Test("wait while the gate of their connector is held")
    func held() async throws {
        let (stage, _) = try await stage()
        try await stage.live { connectors in
            try await connectors.give(.hold(by: "anna"), to: "c", why: "")
            await #expect(throws: ConnectorFailure.self) {
                try await connectors.replayDeadLetters(of: "c", only: nil, by: "anna", why: "")
            }
            #expect(try await connectors.deadLetters(of: "c", most: 10).count == 2)
        }
    }
}

@Suite("A connector that a person holds")
struct ConnectorHoldTests {
    @Test("stays held over a restart, whoever runs it hears of both, and the audit knows who, when and why")
    func hold() async throws {
        let stage = CoreStage()
        try await stage.live { connectors in
            _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
            try await connectors.give(.hold(by: "anna"), to: "c", why: "the receiver moves")
            #expect(connectors.isHeld("c"))
            await #expect(throws: ConnectorFailure.self) {
                try await connectors.give(.hold(by: "anna"), to: "nobody", why: "")
            }
        }
        #expect(stage.reading("c")?.state == .paused)
        let gates = stage.gates
        let audit = try await stage.live { connectors in
            #expect(connectors.isHeld("c"))
            #expect(await connectors.queueLevel("c") == nil, "a held queue counts as full")
            await confirmation(expectedCount: 1) { heard in
                connectors.book.whenHeld { id, isHeld in if id == "c", !isHeld { heard() } }
                // The gate's own order is the same thing.
                #expect(gates.order(.release(by: "bob"), "connector/c"))
            }
            #expect(!connectors.isHeld("c"))
            return try await connectors.audit(of: "c", most: 10)
        }
        #expect(audit.map(\.action) == ["resume", "pause"] && audit.map(\.who) == ["bob", "anna"])
        #expect(audit.last?.why == "the receiver moves")
        try await stage.live { connectors in #expect(!connectors.isHeld("c")) }
    }
}

extension Connectors {
    fileprivate func isEmpty(_ id: ConnectorID) -> Bool {
        looks(of: [id]).first?.level?.messages == 0
    }
}
