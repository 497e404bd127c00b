import Foundation
import GRDB
package import WeirExpressions
package import WeirStore
package import WeirWorld

/// A join key in the configuration cannot be read, or the store cannot.
package enum GraphFailure: Error, Sendable {
    case join(ExpressionProblem)
    case store(StoreFailure)
}

extension ObjectStore {
    /// Reads all live objects and joins them; ids that are new or changed are kept before it returns.
    /// - Parameter oldest: objects that changed after this time are known to `old` as they were before it.
    package func loadGraph(
        _ language: IdentityLanguage, joins: [JoinRule], oldest: WallTime
    ) async throws(GraphFailure) -> IdentityGraph {
        do {
            for _ in 0..<8 {
                let loaded = try await load(language, joins, oldest)
                // Another graph was made meanwhile and gave out ids: read again, so that none is given twice.
                if try await keep(loaded) { return loaded.outcome.graph }
            }
            throw StoreFailure.broken("identities changed again and again while they were read")
        } catch let problem as ExpressionProblem {
            throw .join(problem)
        } catch {
            throw .store((error as? StoreFailure) ?? .broken("\(error)"))
        }
    }

    private struct Loaded: Sendable {
        var outcome: GraphBuilder.Outcome
        var past: IdentityGraph.Past
        var next: Int64
        /// Identities that objects came from or went to, beside those that are new.
        var touched: Set<Int64>
    }

    private func load(
        _ language: IdentityLanguage, _ joins: [JoinRule], _ oldest: WallTime
    ) async throws -> Loaded {
        let places = Dictionary(
            zip(kindRows, kinds).compactMap { row, kind in language.place(of: kind).map { (row, $0) } },
            uniquingKeysWith: { one, _ in one })
        let since = oldest.nanoseconds
        return try await database.read { database in
            var builder = try GraphBuilder(language, joins: joins)
            let next = try ObjectTables.counter("identity", database)
            try Self.readObjects(database, places, &builder)
            let outcome = builder.build(nextIdentity: next)
            try Self.readBefore(database, places, since, &builder, outcome)
            let past = try Self.readPast(database)
            outcome.graph.setPast(past)
            return Loaded(
                outcome: outcome, past: past, next: next, touched: Set(outcome.assignments.compactMap(\.before)))
        }
    }

    private static func readObjects(
        _ database: Database, _ places: [Int64: Int], _ builder: inout GraphBuilder
    ) throws {
        // Both in the order of rows, so that they are merged while they are read.
        let objects = try RawStatement(database, "SELECT id, kind, seq, deleted_at IS NULL, data FROM object")
        let owners = try RawStatement(database, "SELECT object, identity FROM object_identity")
        var hasOwner = try owners.step()
        while try objects.step() {
            guard objects.int(3) == 1, let place = places[objects.int(1)] else { continue }
            let row = objects.int(0)
            while hasOwner, owners.int(0) < row { hasOwner = try owners.step() }
            let identity = hasOwner && owners.int(0) == row ? owners.int(1) : 0
            builder.add(
                place, row: row, sequence: objects.int(2), identity: identity, record: Record(objects.bytes(4)))
        }
    }

    /// What objects were before they changed lately: the oldest of it, which is what was last known to be good.
    private static func readBefore(
        _ database: Database, _ places: [Int64: Int], _ since: Int64, _ builder: inout GraphBuilder,
        _ outcome: GraphBuilder.Outcome
    ) throws {
        let changes = try RawStatement(
            database,
            """
            SELECT r.object, o.kind, coalesce(i.identity, 0), r.data, min(r.seq)
            FROM object_rev r JOIN object o ON o.id = r.object LEFT JOIN object_identity i ON i.object = r.object
            WHERE r.at >= ? AND r.data IS NOT NULL GROUP BY r.object
            """)
        changes.bind(1, since)
        var moved: [Int64: Int64] = [:]
        for assignment in outcome.assignments { moved[assignment.row] = assignment.identity }
        while try changes.step() {
            guard let place = places[changes.int(1)],
                let number = outcome.graph.number(moved[changes.int(0)] ?? changes.int(2))
            else { continue }
            outcome.graph.setBefore(builder.write(place, Record(changes.bytes(3))), identity: number, place)
        }
    }

    private static func readPast(_ database: Database) throws -> IdentityGraph.Past {
        var past = IdentityGraph.Past()
        past.sequence = try ObjectTables.counter("seq", database)
        let deleted = try RawStatement(
            database,
            """
            SELECT o.seq, i.identity FROM object o JOIN object_identity i ON i.object = o.id
            WHERE o.deleted_at IS NOT NULL UNION ALL SELECT seq, identity FROM identity_touch
            """)
        while try deleted.step() { past.touched.append((deleted.int(0), deleted.int(1))) }
        let merges = try RawStatement(database, "SELECT seq, source, target FROM identity_merge ORDER BY seq")
        while try merges.step() { past.merges.append((merges.int(0), merges.int(1), merges.int(2))) }
        return past
    }

    /// - Returns: false where ids were given out by somebody else meanwhile.
    private func keep(_ loaded: Loaded) async throws(StoreFailure) -> Bool {
        let outcome = loaded.outcome
        guard !outcome.isUnchanged else { return true }
        let past = try await database.write { database -> IdentityGraph.Past? in
            guard try ObjectTables.counter("identity", database) == loaded.next else { return nil }
            let sequence = try ObjectTables.counter("seq", database) + 1
            let assign = try RawStatement(
                database,
                "INSERT INTO object_identity VALUES (?1, ?2) ON CONFLICT DO UPDATE SET identity = excluded.identity")
            for assignment in outcome.assignments {
                assign.bind(1, assignment.row)
                assign.bind(2, assignment.identity)
                try assign.run()
            }
            if let last = outcome.created.last { try ObjectTables.set("identity", last + 1, database) }
            for merge in outcome.merged {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO identity_merge VALUES (?, ?, ?)",
                    arguments: [merge.from, merge.into, sequence])
            }
            for split in outcome.split {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO identity_split VALUES (?, ?, ?)",
                    arguments: [split.into, split.from, sequence])
            }
            // Who lost or won an object is looked at again by the next delta, though no object of theirs changed.
            var touched = loaded.touched
            for merge in outcome.merged { touched.insert(merge.into) }
            for split in outcome.split { touched.formUnion([split.from, split.into]) }
            for identity in touched {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO identity_touch VALUES (?, ?)", arguments: [identity, sequence])
            }
            if !touched.isEmpty { try ObjectTables.set("seq", sequence, database) }
            return try Self.readPast(database)
        }
        guard let past else { return false }
        outcome.graph.setPast(past)
        return true
    }
}
