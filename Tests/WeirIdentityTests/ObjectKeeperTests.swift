import Logging
import Testing
import WeirExpressions
import WeirIdentity
import WeirWorld

/// Two silos in memory over a store in a file.
struct KeeperWorld {
    static let person = ObjectKind(silo: "hr")
    static let account = ObjectKind(silo: "ad")

    let scratch: Scratch
    let hr = MemorySilo([person])
    let ad = MemorySilo([account])
    let database: IdentityDatabase
    let keeper: ObjectKeeper

    init(gate: InputGate = InputGate(), misses: Int = 1) async throws {
        scratch = try Scratch()
        let world = World.live(log: Logger(label: "test"))
        database = try await IdentityDatabase.open(
            path: scratch.path + "/identity.db", tables: [ObjectTables.tables], world: world)
        var parts = [
            SiloPart(name: "hr", type: "memory", provider: hr, kinds: [Self.person]),
            SiloPart(name: "ad", type: "memory", provider: ad, kinds: [Self.account]),
        ]
        for at in parts.indices {
            parts[at].gate = gate
            parts[at].misses = misses
        }
        keeper = try await ObjectKeeper(
            parts,
            joins: [JoinRule(kind: Self.person, key: "hr.id"), JoinRule(kind: Self.account, key: "ad.employeenumber")],
            database: database, world: world)
    }

    func hire(_ numbers: Range<Int>) {
        for number in numbers {
            hr.put(
                SiloObject(
                    kind: Self.person, anchor: "p\(number)", name: "p\(number)",
                    attributes: ["id": ["E\(number)"], "name": ["Name \(number)"]]))
        }
    }

    func scan(_ id: String, _ kind: ObjectKind = person, full: Bool = true) async -> ScanView {
        await keeper.scan(kind, isFull: full, id: id)
    }
}

@Suite("The keeper of objects")
struct ObjectKeeperTests {
    @Test("takes a scan in, and writes nothing when the next finds the same")
    func unchanged() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<1_000)
        let first = await world.scan("s1")
        #expect(first.status == .complete)
        #expect(first.added == 1_000)
        let sequence = try await world.keeper.sequence()
        let second = await world.scan("s2")
        #expect(second.seen == 1_000)
        #expect(second.added + second.changed + second.gone == 0)
        #expect(try await world.keeper.sequence() == sequence)
        #expect(try await world.keeper.store.scans(of: KeeperWorld.person, most: 9).map(\.id) == ["s2", "s1"])
    }

    @Test("finds what changed, what is new and what is gone, and keeps what it was before")
    func changes() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<100)
        _ = await world.scan("s1")
        world.hire(100..<101)
        world.hr.remove(KeeperWorld.person, anchor: "p5")
        var changed = try #require(world.hr.object(KeeperWorld.person, anchor: "p7"))
        changed.attributes["name"] = ["New"]
        world.hr.put(changed)
        let view = await world.scan("s2")
        #expect([view.added, view.changed, view.gone] == [1, 1, 1])
        let store = world.keeper.store
        #expect(try await store.live(KeeperWorld.person) == 100)
        #expect(try await store.object(KeeperWorld.person, anchor: "p5") == nil)
        let history = try await store.history(KeeperWorld.person, anchor: "p7", most: 9)
        #expect(history.map { $0.before?.attributes["name"] } == [["Name 7"]])
        // Whoever comes back is the same one again.
        world.hire(5..<6)
        #expect(await world.scan("s3").added == 1)
        #expect(try await store.history(KeeperWorld.person, anchor: "p5", most: 9).count == 2)
    }

    @Test("takes deltas by mark, with what is deleted")
    func deltas() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<10)
        let first = await world.scan("s1", full: false)
        #expect(first.isFull, "without a mark a delta is a full scan")
        world.hire(10..<12)
        world.hr.remove(KeeperWorld.person, anchor: "p3")
        let view = await world.scan("s2", full: false)
        #expect(!view.isFull)
        #expect([view.seen, view.added, view.gone] == [2, 2, 1])
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 11)
    }

    @Test("concludes nothing from a scan that fails in the middle")
    func failed() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<100)
        _ = await world.scan("s1")
        var faults = MemorySilo.Faults()
        faults.diesAfter = 60
        world.hr.set(faults)
        world.hire(100..<110)
        let view = await world.scan("s2")
        #expect(view.status == .failed)
        #expect(view.text.contains("connection_closed"))
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 100)
    }

    @Test("parks a scan that shrank, and takes it once when somebody says that it is right")
    func quarantine() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<1_000)
        _ = await world.scan("s1")
        var faults = MemorySilo.Faults()
        faults.hides = 300
        world.hr.set(faults)
        var changed = try #require(world.hr.object(KeeperWorld.person, anchor: "p0"))
        changed.attributes["name"] = ["New"]
        world.hr.put(changed)
        let view = await world.scan("s2")
        #expect(view.status == .quarantined)
        #expect(view.text.hasPrefix("scan-shrunk"))
        let store = world.keeper.store
        #expect(try await store.live(KeeperWorld.person) == 1_000)
        #expect(try await store.object(KeeperWorld.person, anchor: "p0")?.attributes["name"] == ["Name 0"])
        let person = Person(kind: .user, name: "ann")
        try await world.keeper.accept(scan: "s2", by: person, reason: "a site was sold")
        #expect(try await store.live(KeeperWorld.person) == 700)
        #expect(try await store.object(KeeperWorld.person, anchor: "p0")?.attributes["name"] == ["New"])
        #expect(try await store.scan("s2")?.status == .accepted)
        await #expect(throws: IdentityRefusal.self) {
            try await world.keeper.accept(scan: "s2", by: person, reason: "again")
        }
    }

    @Test("lets a scan that waits go when a later one is taken")
    func superseded() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<200)
        _ = await world.scan("s1")
        var faults = MemorySilo.Faults()
        faults.hides = 100
        world.hr.set(faults)
        #expect(await world.scan("s2").status == .quarantined)
        world.hr.set(MemorySilo.Faults())
        #expect(await world.scan("s3").status == .complete)
        await #expect(throws: IdentityRefusal.self) {
            try await world.keeper.accept(scan: "s2", by: Person(kind: .user, name: "ann"), reason: "")
        }
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 200)
    }

    @Test("holds a scan in which rows could not be read, and deletes nothing when it is accepted")
    func incomplete() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<100)
        _ = await world.scan("s1")
        var faults = MemorySilo.Faults()
        faults.hides = 1
        faults.refuses = [RefusedRow(place: "hr:99", reason: "broken")]
        world.hr.set(faults)
        world.hire(0..<1)
        let view = await world.scan("s2")
        #expect(view.status == .quarantined)
        #expect(view.text.hasPrefix("scan-incomplete"))
        try await world.keeper.accept(scan: "s2", by: Person(kind: .user, name: "ann"), reason: "")
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 100)
    }

    @Test("takes an object for deleted only after so many complete scans without it")
    func misses() async throws {
        let world = try await KeeperWorld(misses: 3)
        world.hire(0..<10)
        _ = await world.scan("s1")
        world.hr.remove(KeeperWorld.person, anchor: "p1")
        #expect(await world.scan("s2").gone == 0)
        #expect(await world.scan("s3").gone == 0)
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 10)
        #expect(await world.scan("s4").gone == 1)
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 9)
    }

    @Test("begins an epoch when a silo reads something else than before, and asks for a preview")
    func epochs() async throws {
        let world = try await KeeperWorld()
        world.hr.set(scope: "ou=all")
        world.hire(0..<10)
        _ = await world.scan("s1")
        let store = world.keeper.store
        #expect(try await store.kindsWithoutPreview().isEmpty)
        world.hr.set(scope: "ou=sales")
        _ = await world.scan("s2")
        #expect(try await store.kindsWithoutPreview() == [KeeperWorld.person])
        try await store.notePreview(of: [KeeperWorld.person])
        #expect(try await store.kindsWithoutPreview().isEmpty)
        _ = await world.scan("s3")
        #expect(try await store.kindsWithoutPreview().isEmpty)
    }

    @Test("joins what it keeps, gives ids once, and knows what changed since and what was before")
    func graph() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<20)
        world.ad.put(
            SiloObject(kind: KeeperWorld.account, anchor: "a3", name: "cn=3", attributes: ["employeenumber": ["E3"]]))
        _ = await world.scan("s1")
        _ = await world.scan("s2", KeeperWorld.account)
        let graph = try await world.keeper.graph()
        #expect(graph.count == 20)
        let joined = try #require((0..<20).first { graph.objects(of: $0).count == 2 })
        let id = graph.id(of: joined)
        #expect(try await world.keeper.graph() === graph, "nothing changed, so nothing is read")

        world.hr.remove(KeeperWorld.person, anchor: "p3")
        var changed = try #require(world.hr.object(KeeperWorld.person, anchor: "p9"))
        changed.attributes["name"] = ["New"]
        world.hr.put(changed)
        _ = await world.scan("s3")
        let next = try await world.keeper.graph()
        let number = try #require(next.identity(id))
        #expect(next.objects(of: number).map(\.anchor) == ["a3"])
        #expect(next.count == 20)
        #expect(next.changed(since: graph.sequence).contains(number))
        #expect(next.changed(since: graph.sequence).count == 2)
        let scope = EvaluationScope(now: Instant(WallTime(nanoseconds: 0)))
        let old = try next.compile("old.hr.name + (joined('hr') ? ' here' : ' gone')", extra: [:])
        #expect(try old.evaluate(number, in: next, scope) == .string("Name 3 gone"))
        let before = try next.compile("old.hr.name == 'Name 9' && hr.name == 'New'", extra: [:])
        let other = try #require((0..<20).first { next.object(of: $0, KeeperWorld.person)?.anchor == "p9" })
        #expect(try before.evaluate(other, in: next, scope) == .bool(true))
    }

    @Test("takes one object that was read or written just now")
    func refresh() async throws {
        let world = try await KeeperWorld()
        world.hire(0..<3)
        _ = await world.scan("s1")
        var one = try #require(world.hr.object(KeeperWorld.person, anchor: "p1"))
        one.attributes["name"] = ["Other"]
        try await world.keeper.refresh(KeeperWorld.person, anchor: "p1", one)
        #expect(try await world.keeper.store.object(KeeperWorld.person, anchor: "p1")?.attributes["name"] == ["Other"])
        try await world.keeper.refresh(KeeperWorld.person, anchor: "p2", nil)
        #expect(try await world.keeper.store.live(KeeperWorld.person) == 2)
    }
}
