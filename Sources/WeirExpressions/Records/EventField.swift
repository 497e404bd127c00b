import CWeirJSON
import WeirWorld

/// Reads fields of records for the general evaluator. Nothing is parsed that is not asked for.
///
/// - A text that begins with `{` is a JSON object; its keys are the fields. Its structure is walked to the end, so a
///   text that was cut off fails; values that nobody asked for are not checked.
/// - Syslog: `facility`, `severity`, `host`, `app`, `procid`, `msgid`, `structured_data`, `time`, `message`.
/// - Any other text has no keys but `message`, the text.
/// - Always: `raw`, the whole text (unless a JSON key has that name), and `time`, when it came in (unless it says
///   itself).
enum EventField {
    static func value(at path: EventPath, in frame: inout Frame) throws(ExpressionFailure) -> Value {
        if let map = try boundEvent(&frame) {
            let found = map[path.names[0]]
            if path.isOptional { return .optional(found) }
            guard let found else { throw ExpressionFailure(.noSuchKey, path.names[0]) }
            return try select(found, path.names.dropFirst())
        }
        let record = try record(in: &frame)
        if record.kind == .syslog {
            return try rest(of: path, SyslogFields(record.bytes).value(path.names[0], received: record.received))
        }
        switch locate(path, in: record) {
        case .found(let place):
            let bytes = UnsafeRawBufferPointer(rebasing: record.bytes[place...])
            guard let value = JSONReader.prefix(of: bytes) else { throw malformed }
            return path.isOptional ? .optional(value) : value
        case .missing where path.names.count == 1: return try rest(of: path, fallback(path.names[0], record))
        case .missing, .inside: throw ExpressionFailure(.noSuchKey, path.names[path.names.count - 1])
        case .malformed where record.kind != .raw: throw malformed
        case .malformed, .text:
            let isText = path.names[0] == "message"
            return try rest(of: path, isText ? .string(text(record.bytes)) : fallback(path.names[0], record))
        }
    }

    static func isPresent(_ path: EventPath, in frame: inout Frame) throws(ExpressionFailure) -> Bool {
        let last = path.names[path.names.count - 1]
        var outer = path
        outer.names.removeLast()
        if let map = try boundEvent(&frame) {
            guard let first = outer.names.first else { return map[last] != nil }
            guard let found = map[first] else { throw ExpressionFailure(.noSuchKey, first) }
            return try Compiler.has(try select(found, outer.names.dropFirst()), .string(last), last)
        }
        let record = try record(in: &frame)
        if record.kind == .syslog {
            guard !outer.names.isEmpty else {
                return SyslogFields(record.bytes).value(last, received: record.received) != nil
            }
            return try Compiler.has(try value(at: outer, in: &frame), .string(last), last)
        }
        switch locate(path, in: record) {
        case .found: return true
        case .missing: return outer.names.isEmpty && fallback(last, record) != nil
        case .inside: throw ExpressionFailure(.noSuchKey, last)
        case .malformed where record.kind != .raw: throw malformed
        case .malformed, .text:
            guard outer.names.isEmpty else { throw ExpressionFailure(.noSuchKey, path.names[0]) }
            return last == "message" || fallback(last, record) != nil
        }
    }

    private static let malformed = ExpressionFailure(.malformedRecord, "not a JSON object")

    private static func select(_ value: Value, _ names: ArraySlice<String>) throws(ExpressionFailure) -> Value {
        var value = value
        for name in names { value = try Compiler.select(value, .string(name), name, false) }
        return value
    }

    private static func rest(of path: EventPath, _ found: Value?) throws(ExpressionFailure) -> Value {
        if path.isOptional { return .optional(found) }
        guard let found else { throw ExpressionFailure(.noSuchKey, path.names[0]) }
        return try select(found, path.names.dropFirst())
    }

    /// `event` where it was bound to a value instead of being a record.
    private static func boundEvent(_ frame: inout Frame) throws(ExpressionFailure) -> ValueMap? {
        guard let event = frame.bindings["event"] else { return nil }
        guard case .map(let map) = event else {
            throw ExpressionFailure(.noSuchOverload, "type '\(event.typeName)' does not support field selection")
        }
        return map
    }

    private static func record(in frame: inout Frame) throws(ExpressionFailure) -> RecordView {
        guard let record = frame.record else { throw ExpressionFailure(.unknownName, "event") }
        try frame.spend(1 + record.bytes.count >> 8)
        return record
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
        return .map([
            .string("message"): .string(text(record.bytes)), .string("time"): .timestamp(Instant(record.received)),
        ])
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

    private enum Place {
        /// Where the value begins.
        case found(Int)
        /// The last name of the path is not there.
        case missing
        /// The way ends before: a name is missing or is no object.
        case inside
        case malformed
        /// The record is no JSON at all.
        case text
    }

    /// Walks the structure only: what lies beside the path is not read.
    private static func locate(_ path: EventPath, in record: RecordView) -> Place {
        let bytes = record.bytes
        guard isObject(bytes) else { return .text }
        var start = 0
        for (level, name) in path.names.enumerated() {
            if level > 0, start >= bytes.count || bytes[start] != UInt8(ascii: "{") { return .inside }
            var place = 0
            let found = Text.withBytes(name) { key in
                weir_json_find(
                    bytes.baseAddress.map { $0.assumingMemoryBound(to: UInt8.self) + start }, bytes.count - start,
                    level > 0 ? 1 : 0, UnsafeRawPointer(key.baseAddress)?.assumingMemoryBound(to: CChar.self),
                    key.count,
                    &place)
            }
            guard found >= 0 else { return .malformed }
            guard found == 1 else { return level + 1 == path.names.count ? .missing : .inside }
            start += place
        }
        return start < bytes.count ? .found(start) : .malformed
    }
}
