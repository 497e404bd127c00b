import Foundation
import Glibc
import Logging
import Synchronization
import WeirGates
import WeirIdentity
import WeirWorld

/// What a sync of many people costs: one list and two targets with an object each for every person, 20 rules that compare
/// 10 attributes in each target, and a database on disk.
///
///     identity-bench 500000 DIRECTORY
///
/// The silos make their objects while they are read, so that memory and time are Weir's. One line of JSON: seconds of
/// the first full sync (all is new), of a second one that finds nothing changed, of its parts, of a plan in which
/// everybody's title is another one and is held, and of an approval of 5,000 held actions.
@main
struct IdentityBench {
    static let person = ObjectKind(silo: "hr")
    static let targets = [ObjectKind(silo: "ad"), ObjectKind(silo: "app")]

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let people = Int(arguments[1]), people >= 5_000 else {
            print("identity-bench PEOPLE DIRECTORY   (5,000 people at least)")
            exit(64)
        }
        let world = World.live(log: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let silos = ([person] + targets).map { ($0, MadeSilo(people: people)) }
        let engine = try await open(silos, arguments[2] + "/identity.db", world)
        var lines: [String] = ["\"people\":\(people)"]

        let first = try await timed(engine, .commit, "first", &lines)
        let second = try await timed(engine, .commit, "unchanged", &lines)
        guard first.triggers == 0, second.triggers == 0 else { fatalError("people who agree were changed") }
        lines.append("\"rss_unchanged_mb\":\(String(format: "%.0f", Process.peakMegabytes))")

        // Everybody's title is another one: all of the two rules is held. Of the mail, 5,000 are.
        silos[0].1.change { $0.title = "Editor" }
        let held = try await timed(engine, .commit, "held", &lines)
        lines.append("\"held\":\(held.triggers)")
        silos[0].1.change { $0.mails = 5_000 }
        let few = try await timed(engine, .commit, "few", &lines)
        let clock = ContinuousClock()
        let began = clock.now
        let result = try await engine.decide(
            DecisionOrder(
                verb: .approve, which: .hold(sync: few.id, rule: "ad-mail", exceptVIP: false),
                person: Person(kind: .user, name: "bench"), reason: "bench"))
        lines.append("\"approved\":\(result.changed)")
        lines.append("\"approve_s\":\(seconds(clock.now - began))")
        lines.append("\"rss_mb\":\(String(format: "%.0f", Process.peakMegabytes))")
        print("{\(lines.joined(separator: ","))}")
    }

    private static func open(
        _ silos: [(ObjectKind, MadeSilo)], _ path: String, _ world: World
    ) async throws -> IdentityEngine {
        let database = try await IdentityDatabase.open(
            path: path, tables: [ObjectTables.tables, IdentityEngine.tables], world: world)
        let parts = silos.map { SiloPart(name: $0.silo, type: "memory", provider: $1, kinds: [$0]) }
        let keeper = try await ObjectKeeper(
            parts, joins: silos.map { kind, _ in JoinRule(kind: kind, key: "\(kind.silo).id") }, database: database,
            world: world)
        var settings = EngineSettings()
        settings.label = "hr.?name.orValue(id)"
        settings.vip = "hr.?level.orValue('9') == '1'"
        for target in targets {
            for attribute in MadeSilo.attributes {
                var rule = Rule(name: "\(target.silo)-\(attribute)", kind: .update, target: target)
                rule.scopes = ["has(hr.id)"]
                rule.condition = "hr.status == 'active'"
                rule.flows = [Rule.Flow(attribute: attribute, expression: "hr.\(attribute)")]
                rule.threshold.limit = .count(1_000)
                settings.rules.append(rule)
            }
        }
        return try await IdentityEngine.open(
            settings: settings, keeper: keeper, database: database, gates: GateRegistry(), world: world)
    }

    /// One full sync: its seconds, those of its phases, the CPU's.
    private static func timed(
        _ engine: IdentityEngine, _ mode: SyncRequest.Mode, _ name: String, _ lines: inout [String]
    ) async throws -> (id: String, triggers: Int) {
        let clock = ContinuousClock()
        let phases = Mutex<(last: (SyncProgress.Phase, ContinuousClock.Instant)?, spent: [String: Duration])>(
            (nil, [:]))
        let (began, cpu) = (clock.now, Process.cpuSeconds)
        let view = try await engine.sync(SyncRequest(kind: .full, mode: mode)) { progress in
            let now = clock.now
            phases.withLock { state in
                if let (phase, since) = state.last { state.spent[phase.rawValue, default: .zero] += now - since }
                state.last = (progress.phase, now)
            }
        }
        lines.append("\"\(name)_s\":\(seconds(clock.now - began))")
        lines.append("\"\(name)_cpu_s\":\(String(format: "%.2f", Process.cpuSeconds - cpu))")
        for (phase, spent) in phases.withLock({ $0.spent }).sorted(by: { $0.key < $1.key }) {
            lines.append("\"\(name)_\(phase)_s\":\(seconds(spent))")
        }
        return (view.id, view.rules.reduce(0) { $0 + $1.triggered })
    }

    private static func seconds(_ duration: Duration) -> String { String(format: "%.3f", duration / .seconds(1)) }
}

/// A silo whose objects are made while they are read: one for each person, with 13 attributes.
final class MadeSilo: SiloProvider {
    struct State {
        var title = "Clerk"
        /// The first so many people have another mail address.
        var mails = 0
    }

    static let attributes = [
        "city", "costcenter", "department", "givenname", "mail", "manager", "office", "phone", "surname", "title",
    ]

    private let people: Int
    private let state = Mutex(State())

    init(people: Int) { self.people = people }

    var abilities: SiloAbilities { SiloAbilities(delta: false, writes: false) }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    func scan(_ request: ScanRequest, take: (RecordBatch) async throws -> Void) async throws(ScanFailure) -> ScanEnd {
        let now = state.withLock { $0 }
        var builder = RecordBuilder()
        var batch = RecordBatch()
        do {
            for number in 0..<people {
                builder.begin(
                    anchor: "\(request.kind.silo)-\(number)", name: "uid=p\(number),ou=people,dc=example,dc=org")
                builder.add("id", "E\(number)")
                builder.add("status", "active")
                builder.add("level", number % 5_000 == 0 ? "1" : "5")
                builder.add("name", "Person \(number)")
                builder.add("city", "City \(number % 300)")
                builder.add("costcenter", "\(10_000 + number % 700)")
                builder.add("department", "Department \(number % 120)")
                builder.add("givenname", "Given\(number % 5_000)")
                builder.add("mail", number < now.mails ? "new\(number)@example.org" : "p\(number)@example.org")
                builder.add("manager", "E\(number / 12)")
                builder.add("office", "Building \(number % 40)")
                builder.add("phone", "+49 30 \(1_000_000 + number)")
                builder.add("surname", "Family\(number % 40_000)")
                builder.add("title", now.title)
                try builder.finish(into: &batch)
                if batch.bytes.count > RecordBatch.bytesWanted {
                    try await take(batch)
                    batch.removeAll()
                }
            }
            if !batch.isEmpty { try await take(batch) }
        } catch {
            throw ScanFailure(code: "not_taken", text: "\(error)", isPassing: false)
        }
        return ScanEnd()
    }

    func read(_ kind: ObjectKind, anchor: String?, name: String) async throws(ScanFailure) -> SiloObject? { nil }

    func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        .refused(code: "read_only", text: "nothing is written here")
    }
}

private enum Process {
    private static var usage: rusage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage
    }

    static var cpuSeconds: Double {
        let usage = usage
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    static var peakMegabytes: Double { Double(usage.ru_maxrss) / 1_024 }
}
