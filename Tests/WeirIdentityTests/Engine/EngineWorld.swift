import Foundation
import Logging
import Testing
import WeirGates
import WeirStore
import WeirTestKit
import WeirWorld

@testable import WeirIdentity

/// An engine over two silos in memory, a clock that a test moves, and a database on disk that outlives a crash.
final class EngineWorld {
    static let person = ObjectKind(silo: "hr")
    static let account = ObjectKind(silo: "ad")
    static let group = ObjectKind(silo: "ad", type: "group")

    let time: ManualTime
    let world: World
    let hr = TestSilo()
    let ad = TestSilo(lists: ["member", "proxyaddresses"])
    let gates = GateRegistry()
    private let path: String
    private(set) var settings: EngineSettings
    private(set) var database: IdentityDatabase
    private(set) var engine: IdentityEngine
    private(set) var keeper: ObjectKeeper

    init(_ rules: [Rule], env: [String: String] = [:], vip: String? = "hr.?level.orValue('9') == '1'") async throws {
        let time = ManualTime()
        self.time = time
        world = World(
            time: time, random: SeededRandom(seed: 1), files: SimulatedDisk(seed: 1), blocking: InlineBlocking(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        path = FileManager.default.temporaryDirectory.path + "/weir-engine-\(UInt64.random(in: 0 ... .max)).db"
        settings = EngineSettings()
        settings.rules = rules
        settings.label = "hr.?name.orValue(id)"
        settings.vip = vip
        settings.env = env
        (database, keeper, engine) = try await Self.open(path, settings, hr, ad, gates, world)
    }

    deinit {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    private static func open(
        _ path: String, _ settings: EngineSettings, _ hr: TestSilo, _ ad: TestSilo, _ gates: GateRegistry,
        _ world: World
    ) async throws -> (IdentityDatabase, ObjectKeeper, IdentityEngine) {
        let database = try await IdentityDatabase.open(
            path: path, tables: [ObjectTables.tables, IdentityEngine.tables], world: world)
        // Tests say what comes through; the input gate has tests of its own.
        var parts = [
            SiloPart(name: "hr", type: "memory", provider: hr, kinds: [person]),
            SiloPart(name: "ad", type: "memory", provider: ad, kinds: [account, group]),
        ]
        for place in parts.indices { parts[place].gate.dropMost = 10_000 }
        let keeper = try await ObjectKeeper(
            parts, joins: [JoinRule(kind: person, key: "hr.id"), JoinRule(kind: account, key: "ad.employeenumber")],
            database: database, world: world)
        let engine = try await IdentityEngine.open(
            settings: settings, keeper: keeper, database: database, gates: gates, world: world)
        return (database, keeper, engine)
    }

    /// The server is gone and comes back, with other rules where told.
    func restart(_ rules: [Rule]? = nil, env: [String: String]? = nil) async throws {
        await database.close()
        if let rules { settings.rules = rules }
        if let env { settings.env = env }
        (database, keeper, engine) = try await Self.open(path, settings, hr, ad, gates, world)
    }

    // MARK: People and accounts

    func hire(_ numbers: some Sequence<Int>, level: String = "5") {
        for number in numbers {
            hr.put(
                Self.person, "E\(number)",
                [
                    "id": ["E\(number)"], "name": ["Person \(number)"], "level": [level], "status": ["active"],
                    "title": ["Clerk"], "login": ["p\(number)"],
                ])
        }
    }

    /// A joined account for each, as a scan would find it.
    func equip(_ numbers: some Sequence<Int>, title: String = "Clerk") {
        for number in numbers {
            ad.put(
                Self.account, "a\(number)", name: "uid=p\(number),ou=people",
                ["employeenumber": ["E\(number)"], "title": [title], "uid": ["p\(number)"]])
        }
    }

    func set(_ number: Int, _ attribute: String, _ value: String) {
        var attributes = hr.objects(Self.person).first { $0.anchor == "E\(number)" }?.attributes ?? [:]
        attributes[attribute] = [value]
        hr.put(Self.person, "E\(number)", attributes)
    }

    var accounts: Int { ad.objects(Self.account).count }

    // MARK: Asking

    @discardableResult
    func sync(
        _ kind: SyncRequest.Kind = .full, _ mode: SyncRequest.Mode = .commit, _ identity: String? = nil,
        scans: Bool = true
    ) async throws -> SyncView {
        let view = try await engine.sync(
            SyncRequest(kind: kind, mode: mode, identity: identity, scans: scans), progress: { _ in })
        for rule in view.rules {
            #expect(rule.outcomes.values.reduce(0, +) == rule.triggered, "a trigger of \(rule.rule) has no end")
        }
        for reading in gates.readings { #expect(reading.counters.unaccounted == 0) }
        return view
    }

    func outcomes(_ view: SyncView, _ rule: String) -> [TriggerOutcome: Int] {
        view.rules.first { $0.rule == rule }?.outcomes ?? [:]
    }

    func actions(_ states: Set<ActionState> = [.suspended], rule: String? = nil) async throws -> [ActionView] {
        var filter = ActionFilter()
        filter.states = states
        filter.rule = rule
        return try await engine.actions(filter, PageRequest(count: 1_000)).items
    }

    @discardableResult
    func decide(
        _ verb: DecisionOrder.Verb, _ which: DecisionOrder.Which, by name: String = "boss", fingerprint: String? = nil,
        mutes: Bool = false
    ) async throws -> DecisionResult {
        try await engine.decide(
            DecisionOrder(
                verb: verb, which: which, person: Person(kind: .user, name: name), reason: "test",
                fingerprint: fingerprint, mutes: mutes))
    }

    func identity(_ number: Int) async throws -> String {
        try #require(try await engine.identity("hr:E\(number)")).summary.id
    }

    // MARK: Rules

    /// Makes an account for everybody who is active.
    static func join(_ limit: Rule.Limit = .count(50)) -> Rule {
        var rule = Rule(name: "join", kind: .provision, target: account)
        rule.scopes = ["has(hr.id)"]
        rule.condition = "hr.status == 'active'"
        rule.objectName = "'uid=' + hr.login + ',ou=people'"
        rule.flows = [
            Rule.Flow(attribute: "employeenumber", expression: "hr.id"),
            Rule.Flow(attribute: "title", expression: "hr.title"),
        ]
        rule.threshold.limit = limit
        return rule
    }

    /// Makes the account's title what HR says.
    static func title(_ limit: Rule.Limit = .count(50)) -> Rule {
        var rule = Rule(name: "title", kind: .update, target: account)
        rule.scopes = ["has(hr.id)"]
        rule.flows = [Rule.Flow(attribute: "title", expression: "hr.title")]
        rule.threshold.limit = limit
        return rule
    }

    /// Deletes accounts whose person is gone.
    static func leave(_ limit: Rule.Limit = .count(50)) -> Rule {
        var rule = Rule(name: "leave", kind: .deprovision, target: account)
        rule.condition = "!has(hr.id)"
        rule.threshold.limit = limit
        return rule
    }
}
