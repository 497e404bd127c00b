import CWeirJSON
import WeirWorld

/// Reads fields of records for the general evaluator. Nothing is parsed that is not asked for.
///
/// - A text that begins with `{` is a JSON object; its keys are the fields. Its structure is walked to the end, so a text
///   that was cut off fails; values that nobody asked for are not checked.
/// - Syslog: `facility`, `severity`, `host`, `app`, `procid`, `msgid`, `structured_data`, `time`, `message`.
/// - Any other text has no keys but `message`, the text.
/// - Always: `raw`, the whole text (unless a JSON key has that name), and `time`, when it came in (unless it says itself).
enum EventField {
    static func value(at path: EventPath, in frame: inout Frame) throws(ExpressionFailure) -> Value {
        let found = try first(path.names[0], in: &frame)
        if path.isOptional { return .optional(found) }
        guard var value = found else { throw ExpressionFailure(.noSuchKey, path.names[0]) }
        for name in path.names.dropFirst() { value = try Compiler.select(value, .string(name), name, false) }
        return value
    }

    static func isPresent(_ path: EventPath, in frame: inout Frame) throws(ExpressionFailure) -> Bool {
        let last = path.names[path.names.count - 1]
        if path.names.count == 1 { return try first(last, in: &frame) != nil }
        var outer = path
        outer.names.removeLast()
        return try Compiler.has(try value(at: outer, in: &frame), .string(last), last)
    }

    /// A field of the event itself; nil when there is none.
    private static func first(_ name: String, in frame: inout Frame) throws(ExpressionFailure) -> Value? {
        if let event = frame.bindings["event"] {
            guard case .map(let map) = event else {
                throw ExpressionFailure(.noSuchOverload, "type '\(event.typeName)' does not support field selection")
            }
            return map[name]
        }
        guard let record = frame.record else { throw ExpressionFailure(.unknownName, "event") }
        try frame.spend(1 + record.bytes.count >> 8)
        if record.kind == .syslog { return SyslogFields(record.bytes).value(name, received: record.received) }
        if isObject(record.bytes) {
            switch find(name, in: record.bytes) {
            case .found(let value): return value
            case .missing: return fallback(name, record)
            case .malformed where record.kind == .raw: break
            case .malformed: throw ExpressionFailure(.malformedRecord, "not a JSON object")
            }
        }
        if name == "message" { return .string(text(record.bytes)) }
        return fallback(name, record)
    }

    private static func fallback(_ name: String, _ record: RecordView) -> Value? {
        switch name {
        case "raw": .string(text(record.bytes))
        case "time": .timestamp(Instant(record.received))
        default: nil
        }
    }

    static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    static func map(_ pairs: [String: String]) -> Value {
        var map = ValueMap()
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) { map[.string(key)] = .string(value) }
        return .map(map)
    }

    /// The record as one map, for expressions that speak of `event` itself (`event.all(k, …)`, `'x' in event`).
    static func whole(_ record: RecordView) throws(ExpressionFailure) -> Value {
        if record.kind == .syslog { return .map(SyslogFields(record.bytes).map(received: record.received)) }
        if isObject(record.bytes) {
            if let value = Value(json: record.bytes) { return value }
            if record.kind != .raw { throw ExpressionFailure(.malformedRecord, "not a JSON object") }
        }
        return .map([.string("message"): .string(text(record.bytes)), .string("time"): .timestamp(Instant(record.received))])
    }

    static func isObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes {
            switch byte {
            case 32, 9, 10, 13: continue
            default: return byte == UInt8(ascii: "{")
            }
        }
        return false
    }

    private enum Found {
        case found(Value), missing, malformed
    }

    private static func find(_ name: String, in bytes: UnsafeRawBufferPointer) -> Found {
        var place = 0
        let found = Text.withBytes(name) { key in
            weir_json_find(
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, bytes.count,
                UnsafeRawPointer(key.baseAddress)?.assumingMemoryBound(to: CChar.self), key.count, &place)
        }
        guard found >= 0 else { return .malformed }
        guard found == 1 else { return .missing }
        guard let value = JSONReader.prefix(of: UnsafeRawBufferPointer(rebasing: bytes[place...])) else { return .malformed }
        return .found(value)
    }
}
