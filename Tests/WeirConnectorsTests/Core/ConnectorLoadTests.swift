import Synchronization
import Testing
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("Many connectors", .timeLimit(.minutes(5)))
struct ConnectorLoadTests {
    @Test("write nothing with their pings, one transaction an interval, and are all there after a restart")
    func heartbeats() async throws {
        let count = 2_000
        let stage = CoreStage { $0.heartbeatEvery = .seconds(3_600) }
        try await stage.live { connectors in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<50 {
                    group.addTask {
                        for number in stride(from: part, to: count, by: 50) {
                            _ = try await connectors.register(ConnectorRegistration(id: "c\(number)", name: "C"))
                            _ = try await connectors.ping("c\(number)", state: "{}", report: ConnectorReport())
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await connectors.book.flush()
            let ledger = connectors.book.ledger
            let before = ledger.transactions
            for _ in 0..<3 {
                for number in 0..<count {
                    let answer = try await connectors.ping("c\(number)", state: "{}", report: ConnectorReport())
                    if answer?.state != "{}" { Issue.record("c\(number) has lost its state") }
                }
            }
            #expect(ledger.transactions == before)
            try await connectors.writeHeartbeats()
            #expect(ledger.transactions == before + 1)
        }
        let found = try await stage.live { await $0.connectors() }
        #expect(found.count == count && found.allSatisfy { $0.state == "{}" && $0.lastPing != nil })
    }

    @Test("A connector that somebody holds is still held after a restart, and the audit knows who it was")
    func pause() async throws {
        let stage = CoreStage()
        let gates = stage.gates
        try await stage.live(with: "c") { connectors in
            #expect(gates.order(.hold(by: "ada"), "connector/c"))
        }
        try await stage.live { connectors in
            #expect(gates.reading("connector/c")?.state == .paused)
            #expect(await connectors.verdict("c") == .postpone)
            #expect(gates.order(.release(by: "bob"), "connector/c"))
            #expect(await connectors.verdict("c") == .pass)
            let audit = try await connectors.audit(of: "c", most: 5)
            #expect(audit.map { "\($0.who) \($0.action)" } == ["bob resume", "ada pause"])
        }
    }

    // It takes a moment, or (once it did) hours: each look at a listener had made the next one longer.
    @Test("A hundred thousand changes cost the same each")
    func listeners() async throws {
        let stage = CoreStage()
        let (settings, world) = (stage.settings, stage.world)
        try await stage.live { connectors in
            let book = ConnectorBook(ledger: connectors.book.ledger, settings: settings, world: world)
            let count = Atomic<Int>(0)
            book.whenHeld { _, _ in count.add(1, ordering: .relaxed) }
            for _ in 0..<100_000 { book.held("c", true) }
            #expect(count.load(ordering: .relaxed) == 100_000)
        }
    }

    @Test("Works are bounded: the oldest of a connector go")
    func works() async throws {
        let stage = CoreStage()
        try await stage.live(with: "c") { connectors in
            for _ in 0..<(WorkBook.keptMost + 20) {
                let work = try await connectors.addWork("c", name: "run", isMultipart: false)
                try await connectors.processed(work.id, message: nil, isError: false)
            }
            let kept = await connectors.works(of: "c", most: 1_000)
            #expect((WorkBook.keptMost...WorkBook.keptMost + 1).contains(kept.count))
            #expect(kept.allSatisfy { $0.status == .complete })
        }
    }
}
