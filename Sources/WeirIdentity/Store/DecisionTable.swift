import Foundation
import GRDB
import WeirWorld

/// The audit of decisions: appended to, never changed.
enum DecisionTable {
    static func append(_ line: DecisionLine, _ database: Database) throws {
        let previous = try Data.fetchOne(database, sql: "SELECT hash FROM decision ORDER BY n DESC LIMIT 1")
        let hash = line.hash(after: previous.map { Array($0) } ?? [])
        try database.cachedStatement(
            sql: """
                INSERT INTO decision (at, verb, which, was, became, person_kind, person, address, agent, reason,
                    fingerprint, count, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            line.at.nanoseconds, line.verb, line.which, line.from, line.to, line.person.kind.rawValue,
            line.person.name, line.person.address, line.person.agent, line.reason, line.fingerprint, line.count,
            Data(hash),
        ])
    }

    /// Newest first; the page's mark is the number.
    static func page(_ page: PageRequest, _ database: Database) throws -> Page<DecisionView> {
        let before = page.after.flatMap { Int64($0) } ?? .max
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM decision WHERE n < ? ORDER BY n DESC LIMIT ?",
            arguments: [before, page.count + 1])
        let shown = rows.prefix(page.count)
        let last: Int64? = shown.last?["n"]
        return Page(
            items: shown.map { row in
                let (line, hash) = self.line(row)
                return DecisionView(
                    at: line.at, verb: line.verb, which: line.which, from: line.from, to: line.to,
                    person: line.person, reason: line.reason, fingerprint: line.fingerprint, hash: Hex.text(hash))
            },
            total: try Int.fetchOne(database, sql: "SELECT count(*) FROM decision") ?? 0,
            next: rows.count > page.count ? last.map { String($0) } : nil)
    }

    /// Looks through the whole chain.
    /// - Returns: the number of the first line that does not follow from the ones before it; nil where all do.
    static func firstBroken(_ database: Database) throws -> Int64? {
        var previous: [UInt8] = []
        var expected: Int64 = 1
        let cursor = try Row.fetchCursor(database, sql: "SELECT * FROM decision ORDER BY n")
        while let row = try cursor.next() {
            let n: Int64 = row["n"]
            let (line, hash) = self.line(row)
            guard n == expected, line.hash(after: previous) == hash else { return n }
            previous = hash
            expected += 1
        }
        return nil
    }

    private static func line(_ row: Row) -> (DecisionLine, [UInt8]) {
        let kind = Person.Kind(rawValue: row["person_kind"]) ?? .user
        let hash: Data = row["hash"]
        return (
            DecisionLine(
                at: WallTime(nanoseconds: row["at"]), verb: row["verb"], which: row["which"], from: row["was"],
                to: row["became"],
                person: Person(kind: kind, name: row["person"], address: row["address"], agent: row["agent"]),
                reason: row["reason"], fingerprint: row["fingerprint"], count: row["count"]),
            Array(hash)
        )
    }
}
