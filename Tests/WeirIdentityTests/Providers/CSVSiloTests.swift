import Foundation
import Logging
import Testing
import WeirIdentity
import WeirWorld

/// A directory that is gone when the test is over.
final class Scratch: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/weir-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let full = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: full))
        return full
    }

    func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }
}

@Suite("A silo of comma-separated values")
struct CSVSiloTests {
    private static let kind = ObjectKind(silo: "hr")
    private let world = World.live(log: Logger(label: "test"))

    private func silo(
        _ bytes: [UInt8], _ scratch: Scratch, _ change: (inout CSVSilo.Layout) -> Void = { _ in }
    ) throws -> CSVSilo {
        var layout = CSVSilo.Layout(path: try scratch.file("hr.csv", bytes), key: "ID")
        change(&layout)
        return CSVSilo(layout, world: world)
    }

    private func scan(_ silo: CSVSilo) async throws -> ([SiloObject], ScanEnd) {
        var objects: [SiloObject] = []
        let end = try await silo.scan(ScanRequest(kind: Self.kind)) { batch in
            for at in 0..<batch.count { objects.append(batch.object(at, kind: Self.kind)) }
        }
        return (objects, end)
    }

    private func failure(
        _ text: String, _ change: (inout CSVSilo.Layout) -> Void = { _ in }
    ) async throws -> ScanFailure? {
        try await failure(Array(text.utf8), change)
    }

    private func failure(
        _ bytes: [UInt8], _ change: (inout CSVSilo.Layout) -> Void = { _ in }
    ) async throws -> ScanFailure? {
        let scratch = try Scratch()
        do {
            _ = try await scan(try silo(bytes, scratch, change))
            return nil
        } catch let failure as ScanFailure {
            return failure
        }
    }

    @Test("keeps what every provider promises")
    func contract() async throws {
        let scratch = try Scratch()
        let silo = try silo(Array("ID,Name,Phones\n".utf8), scratch) { $0.lists = ["phones"] }
        try await SiloContract(
            provider: silo, kind: Self.kind, attributes: { ["id": ["user\($0)"], "name": ["Ünal, \($0)"]] },
            single: "name", list: "phones"
        ).run()
    }

    @Test("reads quotes, line ends within them, CRLF, blank lines and a mark at the beginning")
    func reads() async throws {
        let scratch = try Scratch()
        let text = "\u{FEFF}Id,Name,Note\r\n1,\"Müller, \"\"Max\"\"\",\"two\nlines\"\r\n\r\n2,,\n\"3\",x,\"\""
        let (objects, end) = try await scan(try silo(Array(text.utf8), scratch))
        #expect(end.refused.isEmpty)
        #expect(objects.map(\.anchor) == ["1", "2", "3"])
        #expect(objects[0].attributes["name"] == ["Müller, \"Max\""])
        #expect(objects[0].attributes["note"] == ["two\nlines"])
        #expect(objects[1].attributes == ["id": ["2"]])
        #expect(objects[2].attributes == ["id": ["3"], "name": ["x"]])
    }

    @Test("refuses single rows by their line: too many fields, an empty key, a key that is taken")
    func refusesRows() async throws {
        let scratch = try Scratch()
        let text = "id,name\n1,a\n2,b,c\n,d\n1,e\n3,f\n"
        let (objects, end) = try await scan(try silo(Array(text.utf8), scratch))
        #expect(objects.map(\.anchor) == ["1", "3"])
        #expect(end.refused.map(\.place) == ["hr.csv:3", "hr.csv:4", "hr.csv:5"])
        #expect(end.refused[2].reason.contains("line 2"))
    }

    @Test("reads no file whose rest cannot be trusted, and says the line")
    func refusesFiles() async throws {
        #expect(try await failure("id,name\n1,\"open\n2,b\n")?.code == "bad_csv")
        #expect(try await failure("id,name\n1,\"open\n2,b\n")?.text.contains("line 2") == true)
        #expect(try await failure("id,name\n1,\"a\"b\n")?.text.contains("line 2") == true)
        #expect(try await failure("id,name\n1,a\"b\"\n")?.code == "bad_csv")
        #expect(try await failure("name\na\n")?.code == "no_key_column")
        #expect(try await failure("id,name,Name\n1,a,b\n")?.code == "bad_csv")
        #expect(try await failure("")?.code == "empty_file")
    }

    @Test("takes a file that ends in the middle of a row for one that is still written")
    func halfAFile() async throws {
        let failure = try await failure("id,name,mail\n1,a,a@x\n2,b")
        #expect(failure?.code == "cut_off")
        #expect(failure?.isPassing == true)
    }

    @Test("reads the encodings that lists come in, and says what does not fit")
    func encodings() async throws {
        let scratch = try Scratch()
        let latin: [UInt8] = Array("id,name\n1,J".utf8) + [0xFC] + Array("rgen ".utf8) + [0x80, 10]
        let (objects, _) = try await scan(try silo(latin, scratch) { $0.encoding = .windows1252 })
        #expect(objects[0].attributes["name"] == ["Jürgen €"])
        let broken = try await failure(latin)
        #expect(broken?.code == "bad_encoding")
        #expect(broken?.text.contains("line 2") == true)
        #expect(broken?.text.contains("0xFC") == true)
        var wide: [UInt8] = [0xFF, 0xFE]
        for unit in "id;name\r\n1;Ж🙂\r\n".utf16 { wide += [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
        let (others, _) = try await scan(try silo(wide, scratch) { $0.delimiter = UInt8(ascii: ";") })
        #expect(others[0].attributes["name"] == ["Ж🙂"])
        #expect(try await failure(wide + [0])?.code == "bad_encoding")
        #expect(try await failure(Array("id,name\n1,".utf8) + [0x81, 10]) { $0.encoding = .windows1252 } != nil)
    }

    @Test("writes back in the file's encoding and leaves all other rows as they were")
    func writes() async throws {
        let scratch = try Scratch()
        let silo = try silo(Array("Id,Name\r\n7,a\r\n8,\"b\"\"c\"\r\n".utf8), scratch) { $0.encoding = .latin1 }
        var change = Change(operation: .modify, target: Self.kind, anchor: "7", name: "7")
        change.edits = [Change.Edit(attribute: "name", removes: [], adds: ["Zoë, \"Z\""], isReplaced: true)]
        #expect(await silo.write(change, secrets: [:]) == .written(anchor: "7"))
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.path + "/hr.csv"))
        let wanted = "Id,Name\n7,\"Zo\u{EB}, \"\"Z\"\"\"\n8,\"b\"\"c\"\n"
        #expect([UInt8](bytes) == wanted.unicodeScalars.map { UInt8($0.value) })
        change.edits[0].adds = ["€"]
        guard case .refused("bad_encoding", _) = await silo.write(change, secrets: [:]) else {
            Issue.record("a character without a place was written")
            return
        }
        change.edits[0].attribute = "shoe"
        guard case .refused("no_such_column", _) = await silo.write(change, secrets: [:]) else {
            Issue.record("a column that is not there was written")
            return
        }
    }
}
