import GRDB
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirIdentity

/// Weeks of joiners, movers, leavers, approvers and crashes, by a seed. What must hold at every step is checked at
/// every step; at the end trouble stops, and everything that waited must have come to an end.
@Suite("Weeks of identity, simulated")
struct EngineSimulationTests {
    /// The largest number that passes by itself, of each rule.
    private static let limit = 4
    private static let most = 30

    private struct Sim {
        let world: EngineWorld
        var random: SplitMix
        var employed: Set<Int> = []
        var crashes = 0

        func below(_ bound: Int, _ random: inout SplitMix) -> Int { Int.random(in: 0..<bound, using: &random) }
    }

    private static func rules() -> [Rule] {
        var join = EngineWorld.join(.count(limit))
        join.throttle = .period(.seconds(600))
        join.review.expiry = .seconds(2 * 86_400)
        var title = EngineWorld.title(.count(limit))
        title.review.expiry = .seconds(86_400)
        title.review.onExpiry = .approve
        var leave = EngineWorld.leave(.count(limit))
        leave.grace = .seconds(86_400)
        return [join, title, leave]
    }

    @Test(
        "never more than the limit without approval, nothing approved before the next committed sync, every wait ends",
        arguments: [1, 2, 3, 4] as [UInt64])
    func weeks(seed: UInt64) async throws {
        var sim = Sim(world: try await EngineWorld(Self.rules()), random: SplitMix(seed: seed))
        for _ in 0..<100 {
            try await step(&sim, hasTrouble: true)
            try await check(sim)
        }
        // Calm: nobody comes or goes, approvers answer, nothing breaks.
        sim.world.ad.change { $0.refuses = { _ in nil } }
        for _ in 0..<25 {
            for hold in try await sim.world.engine.holds() {
                try await sim.world.decide(.approve, .hold(sync: hold.sync, rule: hold.rule, exceptVIP: false))
            }
            sim.world.time.advance(by: .seconds(6 * 3_600))
            await sim.world.engine.expireDue()
            try await sim.world.sync()
            try await check(sim)
        }
        let open = try await sim.world.actions([.suspended, .approved, .executing, .unknown])
        #expect(open.isEmpty, "something waits for ever (seed \(seed)): \(open.map { "\($0.rule) \($0.state)" })")
        let present = Set(
            sim.world.ad.objects(EngineWorld.account).compactMap { $0.attributes["employeenumber"]?.first })
        #expect(present == Set(sim.employed.map { "E\($0)" }), "the directory is not as the list says (seed \(seed))")
        #expect(try await sim.world.engine.auditBreak() == nil)
        // A world without trouble would prove nothing.
        #expect(sim.crashes > 0)
        #expect(try await sim.world.actions([.executed, .confirmed]).count > 0)
    }

    private func step(_ sim: inout Sim, hasTrouble: Bool) async throws {
        let world = sim.world
        switch sim.below(10, &sim.random) {
        case 0, 1:
            let count = sim.below(7, &sim.random)
            for _ in 0..<count {
                let number = sim.below(Self.most, &sim.random) + 1
                world.hire([number], level: number % 10 == 0 ? "1" : "5")
                sim.employed.insert(number)
            }
        case 2:
            let count = sim.below(6, &sim.random)
            for number in sim.employed.sorted().prefix(count) {
                world.hr.remove(EngineWorld.person, "E\(number)")
                sim.employed.remove(number)
            }
        case 3:
            let title = "Title \(sim.below(3, &sim.random))"
            for number in sim.employed.sorted() where sim.below(3, &sim.random) == 0 {
                world.set(number, "title", title)
            }
        case 4: try await decide(&sim)
        case 5:
            let isBroken = sim.below(2, &sim.random) == 0
            world.ad.change {
                $0.refuses = { change in
                    isBroken && change.name.hasSuffix("3,ou=people")
                        ? .unknown(code: "timeout", text: "no answer") : nil
                }
            }
        case 6:
            world.time.advance(by: .seconds(sim.below(2 * 86_400, &sim.random)))
            await world.engine.expireDue()
        default: try await sync(&sim)
        }
    }

    private func decide(_ sim: inout Sim) async throws {
        for hold in try await sim.world.engine.holds() {
            let which = DecisionOrder.Which.hold(sync: hold.sync, rule: hold.rule, exceptVIP: false)
            let before = sim.world.ad.written.count
            switch sim.below(4, &sim.random) {
            case 0, 1: try await sim.world.decide(.approve, which, fingerprint: hold.digest)
            case 2: try await sim.world.decide(.reject, which, mutes: false)
            default: break
            }
            #expect(sim.world.ad.written.count == before, "a decision alone has written something")
        }
    }

    private func sync(_ sim: inout Sim) async throws {
        let world = sim.world
        let kind: SyncRequest.Kind = sim.below(3, &sim.random) == 0 ? .full : .delta
        let isPreview = sim.below(5, &sim.random) == 0
        let before = world.ad.written.count
        let crashAt = sim.below(4, &sim.random) == 0 ? before + sim.below(4, &sim.random) + 1 : Int.max
        let (silo, database) = (world.ad, world.database)
        silo.change {
            $0.onWrite = { _ in if silo.written.count == crashAt { await database.close() } }
        }
        do {
            _ = try await world.engine.sync(
                SyncRequest(kind: kind, mode: isPreview ? .preview : .commit), progress: { _ in })
        } catch {
            sim.crashes += 1
            try await world.restart()
        }
        silo.change { $0.onWrite = { _ in } }
        if isPreview { #expect(world.ad.written.count == before, "a preview has written something") }
    }

    /// Of every sync and rule: what ran without a person's approval is within the limit, and what has an action was
    /// approved before the sync began.
    private func check(_ sim: Sim) async throws {
        let rows = try await sim.world.database.read { database in
            try String.fetchAll(
                database,
                sql:
                    """
                    SELECT e.rule || ' ' || e.sync || ' ' || count(DISTINCT e.identity) FROM execution e
                    WHERE e.action IS NULL GROUP BY e.rule, e.sync HAVING count(DISTINCT e.identity) > \(Self.limit)
                    """)
                + String.fetchAll(
                    database,
                    sql:
                        """
                        SELECT 'early ' || a.id FROM execution e JOIN action a ON a.id = e.action
                        JOIN sync s ON s.id = e.sync
                        WHERE a.decided_at IS NULL OR a.decided_at > s.began OR s.mode <> 'commit'
                        """)
                + String.fetchAll(
                    database,
                    sql:
                        """
                        SELECT 'lost ' || s.id || ' ' || t.rule FROM trigger_row t JOIN sync s ON s.n = t.sync
                        WHERE s.ended IS NOT NULL AND t.outcome IS NULL
                        """)
        }
        #expect(rows.isEmpty, "\(rows)")
    }
}
