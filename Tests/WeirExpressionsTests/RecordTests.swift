import Testing
import WeirExpressions
import WeirWorld

@Suite("Expressions over records")
struct RecordTests {
    @Test("A field of a JSON event is read with its type")
    func jsonFields() throws {
        let event =
            #"{"level":"error","status":503,"took":1.5,"ok":false,"user":{"name":"Ada"},"tags":["a","b"],"none":null}"#
        #expect(try Records.evaluate("event.level", event) == .string("error"))
        #expect(try Records.evaluate("event.status + 1", event) == .int(504))
        #expect(try Records.evaluate("event.took", event) == .double(1.5))
        #expect(try Records.evaluate("event.ok", event) == .bool(false))
        #expect(try Records.evaluate("event.user.name", event) == .string("Ada"))
        #expect(try Records.evaluate("event.tags.exists(t, t == 'b')", event) == .bool(true))
        #expect(try Records.evaluate("event.none == null && has(event.none)", event) == .bool(true))
        #expect(try Records.evaluate("event['level']", event) == .string("error"))
        #expect(try Records.evaluate("source + '/' + meta.tenant", event) == .string("edge/a"))
    }

    @Test("A missing field is a failure, has() and orValue() ask first")
    func missingFields() throws {
        #expect(throws: ExpressionFailure.self) { try Records.evaluate("event.absent == 1", #"{"a":1}"#) }
        #expect(try Records.evaluate("has(event.absent)", #"{"a":1}"#) == .bool(false))
        #expect(try Records.evaluate("event.?absent.orValue('x')", #"{"a":1}"#) == .string("x"))
        #expect(try Records.evaluate("has(event.absent) && event.absent == 1", #"{"a":1}"#) == .bool(false))
        #expect(try Records.evaluate("event.absent == 1 || event.a == 1", #"{"a":1}"#) == .bool(true))
    }

    @Test("raw, message and time are there for every kind of record")
    func fallbacks() throws {
        #expect(try Records.evaluate("event.raw", "plain text", .raw) == .string("plain text"))
        #expect(try Records.evaluate("event.message", "plain text", .raw) == .string("plain text"))
        #expect(try Records.evaluate("event.time", "plain text", .raw) == .timestamp(Instant(Records.received)))
        #expect(try Records.evaluate("event.raw", #"{"a":1}"#) == .string(#"{"a":1}"#))
        #expect(try Records.evaluate("event.raw", #"{"raw":1}"#) == .int(1))
        #expect(try Records.evaluate("event.a", #" {"a":1}"#, .raw) == .int(1))
        #expect(try Records.evaluate("event.message", "{no json", .raw) == .string("{no json"))
        #expect(throws: ExpressionFailure.self) { try Records.evaluate("event.message", "{no json", .json) }
    }
}
