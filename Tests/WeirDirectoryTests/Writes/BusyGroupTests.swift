import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

@Suite("Groups under load", .enabled(if: Slapd.isHere, "slapd is not installed"))
struct BusyGroupTests {
    private let g = Slapd.group("g")

    @Test("A thousand members of whom a tenth are there already: two modifies", arguments: [true, false])
    func thousand(looksFirst: Bool) async throws {
        let slapd = try await Slapd.started(entries: Slapd.group("g", members: (0..<1_000).filter { $0 % 10 == 0 }))
        let pool = DirectoryPool(slapd.settings, quietWorld)
        var settings = MembershipWriter.Settings()
        settings.looksFirst = looksFirst
        let outcome = try await MembershipWriter(pool, settings).converge(
            g, adds: (0..<1_000).map(Slapd.person), deletes: [])
        #expect(outcome.requests <= 2, "\(outcome)")
        #expect(outcome.refused.isEmpty)
        #expect(try await pool.members(g) == (0..<1_000).map(Slapd.person).sorted())
        pool.close()
    }

    @Test("Two writers on one group: both get what they asked for")
    func racing() async throws {
        let slapd = try await Slapd.started(entries: Slapd.group("g", members: 1_000..<1_300))
        // Two pools: two processes would know no more of each other.
        let (one, other) = (DirectoryPool(slapd.settings, quietWorld), DirectoryPool(slapd.settings, quietWorld))
        var settings = MembershipWriter.Settings()
        settings.chunkMost = 50
        let (first, second) = (MembershipWriter(one, settings), MembershipWriter(other, settings))
        async let left = first.converge(
            g, adds: (0..<400).map(Slapd.person), deletes: (1_000..<1_200).map(Slapd.person))
        async let right = second.converge(
            g, adds: (200..<600).map(Slapd.person), deletes: (1_100..<1_300).map(Slapd.person))
        let outcomes = try await (left, right)
        #expect(outcomes.0.refused.isEmpty && outcomes.1.refused.isEmpty, "\(outcomes)")
        #expect(try await one.members(g) == (0..<600).map(Slapd.person).sorted())
        one.close()
        other.close()
    }

    @Test("Fifty thousand members: some come, some go, and who is there is asked of the server")
    func fiftyThousand() async throws {
        let slapd = try await Slapd.started(
            Slapd.Options(isDurable: false), entries: Slapd.group("g", members: 0..<50_000))
        let pool = DirectoryPool(slapd.settings, quietWorld)
        let writer = MembershipWriter(pool)
        let few = try await writer.converge(
            g, adds: [49_999, 50_000].map(Slapd.person), deletes: [0, 60_000].map(Slapd.person))
        #expect(few.added == 1 && few.deleted == 1 && few.already == 2 && few.requests == 1)
        let many = try await writer.converge(
            g, adds: (49_500..<50_500).map(Slapd.person), deletes: (0..<500).map(Slapd.person))
        #expect(many.added == 499 && many.deleted == 499 && many.already == 502, "\(many)")
        #expect(try await pool.members(g).count == 50_000)
        pool.close()
    }

    @Test("Writes to one entry come one after the other, in the order of the calls; no code says that two met")
    func order() async throws {
        let slapd = try await Slapd.started(
            Slapd.Options(isDurable: false), entries: Slapd.people(4) + Slapd.group("g", members: [0]))
        let pool = DirectoryPool(slapd.settings, quietWorld)
        let writer = MembershipWriter(pool, unlooking())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<200 {
                tasks.addTask {
                    let value = [Slapd.person(1 + number % 3)]
                    _ = try await writer.converge(Slapd.group("g"), adds: value, deletes: [])
                    _ = try await writer.converge(Slapd.group("g"), adds: [], deletes: value)
                }
            }
            try await tasks.waitForAll()
        }
        #expect(try await pool.members(g) == [Slapd.person(0)])
        #expect(pool.load.connections <= 5)
        pool.close()
    }

    @Test("Turns are taken in the order of the asking, and a cancelled one is passed over")
    func turns() async throws {
        let turns = EntryTurns()
        let (seen, gate) = (Mutexed<[Int]>([]), Alarm())
        let first = Task {
            try await turns.run("a") { () async throws(DirectoryFailure) in
                await gate.wait()
                seen.change { $0.append(0) }
            }
        }
        var waiting: [Task<Void, any Error>] = []
        #expect(await eventually { turns.count("a") == 1 })
        for number in 1...5 {
            waiting.append(
                Task {
                    try await turns.run("a") { () async throws(DirectoryFailure) in seen.change { $0.append(number) } }
                })
            #expect(await eventually { turns.count("a") == number + 1 })
        }
        waiting[1].cancel()
        await #expect(throws: DirectoryFailure.cancelled) { try await waiting[1].value }
        try await turns.run("b") { () async throws(DirectoryFailure) in seen.change { $0.append(9) } }
        gate.poke()
        try await first.value
        for (place, task) in waiting.enumerated() where place != 1 { try await task.value }
        #expect(seen.get() == [9, 0, 1, 3, 4, 5])
        #expect(turns.count("a") == 0)
    }
}
