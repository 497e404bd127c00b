import Testing
import WeirExpressions
import WeirWorld

/// Builds batches and evaluates over one record, so that tests show the expression and the record only.
enum Records {
    static let received = CivilDate.wall(year: 2026, month: 11, day: 21, hour: 13, minute: 3, second: 21)

    static func evaluate(
        _ expression: String, _ text: String, _ kind: RecordKind = .json, source: String = "edge",
        meta: [String: String] = ["tenant": "a"]
    ) throws -> Value {
        let compiled = try Expression(expression)
        return try Array(text.utf8).withUnsafeBytes { bytes in
            try compiled.evaluate(
                RecordView(bytes: bytes, kind: kind, source: source, meta: meta, received: received))
        }
    }

    /// One answer an event: `true`, `false`, or nil where the evaluation failed.
    static func matchOneByOne(_ matcher: Matcher, _ events: [[UInt8]], _ kind: RecordKind) -> [Bool?] {
        events.map { event in
            event.withUnsafeBytes { bytes in
                try? matcher.matches(
                    RecordView(bytes: bytes, kind: kind, source: "edge", meta: ["tenant": "a"], received: received))
            }
        }
    }

    static func select(
        _ matcher: Matcher, _ events: [[UInt8]], _ kind: RecordKind, separator: Int = 1
    ) -> (selected: [Bool], matched: Int, failed: Int) {
        var slab: [UInt8] = []
        var ends: [UInt32] = []
        for event in events {
            slab += event
            slab += Array(repeating: 10, count: separator)
            ends.append(UInt32(slab.count))
        }
        var selected: [Bool] = []
        let counts = slab.withUnsafeBytes { bytes in
            ends.withUnsafeBufferPointer { ends in
                matcher.select(
                    slab: bytes, ends: ends, separator: separator, kind: kind, source: "edge", meta: ["tenant": "a"],
                    received: received, into: &selected)
            }
        }
        return (selected, counts.matched, counts.failed)
    }
}
