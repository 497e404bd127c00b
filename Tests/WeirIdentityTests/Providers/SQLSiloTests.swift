import Foundation
import Logging
import Testing
import WeirIdentity
import WeirTestKit
import WeirWorld

/// A PostgreSQL of its own in a temporary directory, reached by a socket there: no port, no other user's data. It does
/// not run as root, so root starts it as the user `postgres`.
final class PostgresPeer: Sendable {
    static let programs = "/usr/lib/postgresql/15/bin"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: programs + "/initdb") }

    let scratch: Scratch
    private let process: Process

    init() async throws {
        scratch = try Scratch()
        let data = scratch.path + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        if getuid() == 0 { try Self.run(["chown", "-R", "postgres", scratch.path]) }
        try Self.run(Self.asPostgres([Self.programs + "/initdb", "-A", "trust", "--no-sync", "-U", "postgres", data]))
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.arguments = Self.asPostgres([
            Self.programs + "/postgres", "-D", data, "-k", scratch.path, "-c", "listen_addresses=", "-c", "fsync=off",
        ])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let isUp = await eventually {
            (try? Self.run(Self.asPostgres([Self.programs + "/pg_isready", "-q", "-h", scratch.path]))) != nil
        }
        #expect(isUp, "PostgreSQL came up")
    }

    deinit {
        // By its own program: a child of a thread of the pool has that thread's signals blocked, SIGTERM among them.
        try? Self.run(
            Self.asPostgres([Self.programs + "/pg_ctl", "-D", scratch.path + "/data", "-m", "immediate", "stop"]))
    }

    var url: String {
        "postgresql://postgres@/postgres?host=" + scratch.path.split(separator: "/").map { "%2F" + $0 }.joined()
    }

    func sql(_ text: String) throws {
        try Self.run(
            Self.asPostgres([
                Self.programs + "/psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", scratch.path, "-U", "postgres", "-c",
                text,
            ]))
    }

    private static func asPostgres(_ words: [String]) -> [String] {
        getuid() == 0 ? ["runuser", "-u", "postgres", "--"] + words : words
    }

    struct Failed: Error {
        var text: String
    }

    private static func run(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.arguments = words
        let errors = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: String(decoding: said, as: UTF8.self)) }
    }
}

@Suite("A silo of tables")
struct SQLSiloTests {
    private static let kind = ObjectKind(silo: "hr")
    private let world = World.live(log: Logger(label: "test"))

    private static let table: SQLSilo.Table = {
        var table = SQLSilo.Table(table: "people", key: "ID", changed: "version")
        table.lists = ["phones"]
        return table
    }()

    private func sqlite(_ scratch: Scratch, _ sql: String) async throws -> String {
        let path = scratch.path + "/hr.db"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])", path, sql,
        ]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return path
    }

    private static func contract(_ silo: SQLSilo) -> SiloContract {
        SiloContract(
            provider: silo, kind: kind, attributes: { ["id": ["user\($0)"], "name": ["Ünal, \($0)"]] },
            single: "name", list: "phones")
    }

    @Test("keeps what every provider promises, on SQLite")
    func sqliteContract() async throws {
        let scratch = try Scratch()
        let path = try await sqlite(
            scratch,
            """
            CREATE TABLE people (ID TEXT PRIMARY KEY, Name TEXT, phones TEXT, version INTEGER DEFAULT 1);
            CREATE TRIGGER v AFTER UPDATE OF Name, phones ON people BEGIN
                UPDATE people SET version = (SELECT max(version) + 1 FROM people) WHERE ID = NEW.ID; END;
            """)
        try await Self.contract(SQLSilo(.sqlite(path: path), tables: ["user": Self.table], world: world)).run()
    }

    @Test("keeps what every provider promises, on PostgreSQL", .enabled(if: PostgresPeer.isThere))
    func postgresContract() async throws {
        let peer = try await PostgresPeer()
        try peer.sql(
            """
            CREATE SEQUENCE versions;
            CREATE TABLE people ("ID" text PRIMARY KEY, name text, phones text, version bigint NOT NULL);
            CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN NEW.version = nextval(''versions''); RETURN NEW; END';
            CREATE TRIGGER v BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION bump();
            """)
        let silo = SQLSilo(.postgres(url: peer.url, password: nil), tables: ["user": Self.table], world: world)
        try await Self.contract(silo).run()
        await silo.close()
    }

    @Test("reads types as text, queries, and refuses what is no key or no list", .enabled(if: PostgresPeer.isThere))
    func postgresTypes() async throws {
        let peer = try await PostgresPeer()
        try peer.sql(
            """
            CREATE TABLE staff (id int, active bool, born date, seen timestamptz, pay numeric, phones text, note text);
            INSERT INTO staff VALUES (1, true, '1980-02-29', '2026-11-22 05:00+02', 1.50, '["a","b"]', NULL),
                (2, false, NULL, NULL, NULL, 'x', ''), (NULL, true, NULL, NULL, NULL, NULL, NULL);
            """)
        var table = SQLSilo.Table(query: "SELECT * FROM staff", key: "id")
        table.lists = ["phones"]
        let silo = SQLSilo(.postgres(url: peer.url, password: nil), tables: ["user": table], world: world)
        var objects: [SiloObject] = []
        let end = try await silo.scan(ScanRequest(kind: Self.kind)) { batch in
            for at in 0..<batch.count { objects.append(batch.object(at, kind: Self.kind)) }
        }
        #expect(objects.map(\.anchor) == ["1"])
        #expect(
            objects.first?.attributes == [
                "id": ["1"], "active": ["true"], "born": ["1980-02-29"], "seen": ["2026-11-22 03:00:00+00"],
                "pay": ["1.50"], "phones": ["a", "b"],
            ])
        #expect(end.refused.count == 2)
        guard
            case .refused("read_only", _) = await silo.write(
                Change(operation: .delete, target: Self.kind, anchor: "1", name: "1"), secrets: [:])
        else {
            Issue.record("a query was written to")
            return
        }
    }

    @Test("says what a constraint says, and comes back after the server was away", .enabled(if: PostgresPeer.isThere))
    func postgresTrouble() async throws {
        let peer = try await PostgresPeer()
        try peer.sql("CREATE TABLE people (id text PRIMARY KEY, name text CHECK (name <> 'bad'))")
        let silo = SQLSilo(
            .postgres(url: peer.url, password: nil), tables: ["user": SQLSilo.Table(table: "people", key: "id")],
            world: world)
        var change = Change(operation: .create, target: Self.kind, anchor: nil, name: "1")
        change.edits = [Change.Edit(attribute: "name", removes: [], adds: ["bad"], isReplaced: true)]
        guard case .refused("sql_23514", _) = await silo.write(change, secrets: [:]) else {
            Issue.record("a row that the table refuses")
            return
        }
        change.edits[0].adds = ["good"]
        #expect(await silo.write(change, secrets: [:]) == .written(anchor: "1"))
        try peer.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir'")
        let isBack = await eventually {
            (try? await silo.read(Self.kind, anchor: "1", name: "1"))?.attributes["name"] == ["good"]
        }
        #expect(isBack)
    }

    @Test("says that a database is not there")
    func absent() async throws {
        let silo = SQLSilo(
            .postgres(url: "postgresql:///x?host=%2Fnowhere", password: nil),
            tables: ["user": SQLSilo.Table(table: "people", key: "id")], world: world)
        do {
            _ = try await silo.scan(ScanRequest(kind: Self.kind)) { _ in }
            Issue.record("a database that is not there was read")
        } catch {
            #expect(error.code == "connect_failed")
            #expect(error.isPassing)
        }
    }
}
