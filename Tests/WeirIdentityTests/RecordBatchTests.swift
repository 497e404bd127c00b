import Testing
import WeirIdentity

@Suite("A batch of records")
struct RecordBatchTests {
    private static let kind = ObjectKind(silo: "hr")

    private static func object(_ anchor: String, _ attributes: [String: [String]]) -> SiloObject {
        SiloObject(kind: kind, anchor: anchor, name: "cn=\(anchor)", attributes: attributes)
    }

    @Test("begins empty")
    func empty() {
        #expect(RecordBatch().isEmpty)
    }

    @Test("gives back what was put in, with values sorted, each once, and names in lower case")
    func roundTrip() throws {
        var batch = RecordBatch()
        try batch.append(Self.object("7", ["Mail": ["b@x", "a@x", "b@x"], "cn": ["Ä"], "none": []]))
        try batch.append(Self.object("8", [:]))
        #expect(batch.count == 2)
        let first = batch.object(0, kind: Self.kind)
        #expect(first.anchor == "7")
        #expect(first.name == "cn=7")
        #expect(first.attributes == ["mail": ["a@x", "b@x"], "cn": ["Ä"]])
        #expect(batch.object(1, kind: Self.kind).attributes.isEmpty)
        batch.withRecord(0) { record in
            #expect(record.values("mail") == ["a@x", "b@x"])
            #expect(record.values("absent").isEmpty)
            #expect(record.attributeCount == 2)
        }
    }

    @Test("is the same bytes whatever the order in which values came")
    func canonical() throws {
        var builder = RecordBuilder()
        var batch = RecordBatch()
        builder.begin(anchor: "1")
        for (name, value) in [("b", "2"), ("A", "1"), ("b", "1")] { builder.add(name, value) }
        try builder.finish(into: &batch)
        builder.begin(anchor: "1")
        for (name, value) in [("B", "1"), ("a", "1"), ("b", "2")] { builder.add(name, value) }
        try builder.finish(into: &batch)
        builder.begin(anchor: "1")
        for (name, value) in [("B", "1"), ("a", "12")] { builder.add(name, value) }
        try builder.finish(into: &batch)
        let hashes = (0..<3).map { at in batch.withRecord(at) { $0.hash } }
        #expect(hashes[0] == hashes[1])
        #expect(hashes[0] != hashes[2])
        let bytes = (0..<3).map { at in batch.withRecord(at) { Array($0.bytes) } }
        #expect(bytes[0] == bytes[1])
        #expect(batch.object(0, kind: Self.kind).name == "1", "an empty name is the anchor")
    }

    @Test("is read back from its bytes, and from no part of them")
    func torn() throws {
        var batch = RecordBatch()
        try batch.append(Self.object("7", ["mail": ["b@x", "a@x"], "cn": ["x"]]))
        try batch.append(Self.object("8", ["cn": ["y"]]))
        let read = try #require(RecordBatch(reading: batch.bytes))
        #expect(read.starts == batch.starts)
        for count in 1..<batch.bytes.count where count != batch.starts[1] {
            #expect(RecordBatch(reading: Array(batch.bytes.prefix(count))) == nil)
        }
    }

    @Test("refuses what does not fit a record and stays as it was")
    func tooLarge() throws {
        var batch = RecordBatch()
        try batch.append(Self.object("1", ["a": ["b"]]))
        let before = batch.bytes
        #expect(throws: RecordRefusal.self) {
            try batch.append(Self.object(String(repeating: "x", count: 70_000), [:]))
        }
        #expect(throws: RecordRefusal.self) {
            try batch.append(Self.object("2", [String(repeating: "x", count: 300): ["v"]]))
        }
        #expect(throws: RecordRefusal.self) { try batch.append(Self.object("", [:])) }
        #expect(batch.bytes == before)
        #expect(batch.count == 1)
    }

    @Test("holds a group of 100,000 members")
    func largeGroup() throws {
        var builder = RecordBuilder()
        var batch = RecordBatch()
        builder.begin(anchor: "g")
        for at in 0..<100_000 { builder.add("member", "uid=\(at),ou=people") }
        try builder.finish(into: &batch)
        batch.withRecord(0) { record in
            #expect(record.attribute("member")?.count == 100_000)
        }
        #expect(RecordBatch(reading: batch.bytes)?.count == 1)
    }
}
