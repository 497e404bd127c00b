import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirWorld

@Suite struct LineFormatTests {
    static func text(_ format: LineFormat, _ batch: Batch) -> String { String(buffer: format.bytes(of: batch)) }

    @Test("A newline-framed batch is written as it is, without a copy")
    func shared() {
        let batch = Bench.json("{\"a\":1}", "{\"b\":2}")
        for format in LineFormat.allCases {
            let bytes = format.bytes(of: batch)
            #expect(String(buffer: bytes) == "{\"a\":1}\n{\"b\":2}\n")
            let isSame = bytes.withUnsafeReadableBytes { one in
                batch.slab.withUnsafeReadableBytes { one.baseAddress == $0.baseAddress }
            }
            #expect(isSame)
        }
    }

    @Test("A line feed inside an event never makes two lines of it")
    func lineFeeds() {
        #expect(Self.text(.lines, Bench.batch("one\ntwo", "three\n", "\n")) == "one\\ntwo\nthree\\n\n\\n\n")
        #expect(Self.text(.lines, Bench.json("{\n\"a\": 1\n}")) == "{ \"a\": 1 }\n")
        #expect(Self.text(.ndjson, Bench.json("{\n\"a\": 1\n}")) == "{ \"a\": 1 }\n")
    }

    @Test("Text becomes a message in ndjson")
    func wrapped() {
        #expect(
            Self.text(.ndjson, Bench.batch("say \"hi\"", "a\nb", ""))
                == "{\"message\":\"say \\\"hi\\\"\"}\n{\"message\":\"a\\nb\"}\n{\"message\":\"\"}\n")
    }

    @Test("Syslog becomes its fields in ndjson, and a line that is no syslog a message")
    func syslog() {
        let context = BatchContext(kind: .syslog, source: "s", received: CivilDate.wall(year: 2026, month: 11, day: 21))
        let batch = Batch.texts(
            ["<34>1 2026-11-21T01:02:03Z box su 7 - - it \"failed\"", "no header"], context: context)
        let lines = Self.text(.ndjson, batch).split(separator: "\n")
        #expect(lines.count == 2)
        for part in [
            "\"facility\":4", "\"severity\":2", "\"host\":\"box\"", "\"app\":\"su\"",
            "\"message\":\"it \\\"failed\\\"\"", "\"time\":\"2026-11-21T01:02:03Z\"",
        ] {
            #expect(lines.first?.contains(part) == true, "\(part) in \(lines)")
        }
        #expect(lines.last?.contains("\"message\":") == true)
    }
}
