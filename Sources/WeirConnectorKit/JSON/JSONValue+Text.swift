internal import Foundation
internal import NIOCore
internal import WeirWires

/// Why a text is no JSON.
public struct JSONMistake: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension JSONValue {
    /// Brackets within brackets; deeper ones would only serve to use up the stack.
    static let depthMost = 64

    /// Reads a JSON text.
    /// - Throws: what is wrong with it, when it is none or goes deeper than 64 brackets.
    public init(parsing text: String) throws(JSONMistake) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Reads a JSON text in UTF-8.
    /// - Throws: what is wrong with it, when it is none or goes deeper than 64 brackets.
    public init(parsing bytes: [UInt8]) throws(JSONMistake) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(JSONMistake) -> JSONValue in try JSONValue.read(bytes, depth: 0) }
        }
        self = try result.get()
    }

    /// Makes a value of anything that can be encoded, as Foundation's `JSONEncoder` does it, with sorted members.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        try self.init(parsing: [UInt8](encoder.encode(value)))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(type, from: Data(text.utf8))
    }

    /// The value as JSON, on one line.
    public var json: String {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return String(buffer: buffer)
    }

    func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeStaticString("null")
        case .bool(let flag): buffer.writeString(flag ? "true" : "false")
        case .integer(let number): buffer.writeString(String(number))
        case .real(let number): buffer.writeString(number.isFinite ? "\(number)" : "null")
        case .string(let text): JSONText.write(text, to: &buffer)
        case .array(let elements):
            buffer.writeStaticString("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                element.write(to: &buffer)
            }
            buffer.writeStaticString("]")
        case .object(let object):
            buffer.writeStaticString("{")
            for (index, member) in object.members.enumerated() {
                if index > 0 { buffer.writeStaticString(",") }
                JSONText.write(member.name, to: &buffer)
                buffer.writeStaticString(":")
                member.value.write(to: &buffer)
            }
            buffer.writeStaticString("}")
        }
    }

    // MARK: Reading

    /// Where values begin and end is told by `JSONSplitter`; this looks at what they are.
    private static func read(_ bytes: UnsafeRawBufferPointer, depth: Int) throws(JSONMistake) -> JSONValue {
        let trimmed = trim(bytes)
        guard let first = trimmed.first else { throw JSONMistake("the text is empty") }
        guard JSONSplitter.end(ofValueAt: 0, in: trimmed) == trimmed.count else {
            throw JSONMistake("`\(sample(trimmed))` is not one JSON value")
        }
        switch first {
        case UInt8(ascii: "{"): return .object(try readObject(trimmed, depth: depth + 1))
        case UInt8(ascii: "["): return .array(try readArray(trimmed, depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try readString(trimmed))
        default: return try readWord(trimmed)
        }
    }

    private static func readObject(
        _ bytes: UnsafeRawBufferPointer, depth: Int
    ) throws(JSONMistake) -> JSONObject {
        guard depth <= depthMost else { throw JSONMistake("it goes deeper than \(depthMost) brackets") }
        guard let ranges = JSONSplitter.members(of: bytes) else {
            throw JSONMistake("`\(sample(bytes))` is not a JSON object")
        }
        var members: [JSONObject.Member] = []
        members.reserveCapacity(ranges.count)
        for (key, value) in ranges {
            let quoted = UnsafeRawBufferPointer(rebasing: bytes[key.lowerBound - 1..<key.upperBound + 1])
            let content = try read(UnsafeRawBufferPointer(rebasing: bytes[value]), depth: depth)
            members.append(JSONObject.Member(try readString(quoted), content))
        }
        return JSONObject(members)
    }

    private static func readArray(
        _ bytes: UnsafeRawBufferPointer, depth: Int
    ) throws(JSONMistake) -> [JSONValue] {
        guard depth <= depthMost else { throw JSONMistake("it goes deeper than \(depthMost) brackets") }
        let values = JSONSplitter.values(in: bytes)
        guard values.mistake == nil else { throw JSONMistake("`\(sample(bytes))` is not a JSON array") }
        var elements: [JSONValue] = []
        elements.reserveCapacity(values.ranges.count)
        for range in values.ranges {
            elements.append(try read(UnsafeRawBufferPointer(rebasing: bytes[range]), depth: depth))
        }
        return elements
    }

    private static func readString(_ bytes: UnsafeRawBufferPointer) throws(JSONMistake) -> String {
        guard let content = JSONSplitter.text(of: bytes),
            let text = content.withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) })
        else { throw JSONMistake("`\(sample(bytes))` is not a JSON string") }
        return text
    }

    private static func readWord(_ bytes: UnsafeRawBufferPointer) throws(JSONMistake) -> JSONValue {
        let text = String(decoding: bytes, as: UTF8.self)
        switch text {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default:
            if let whole = Int64(text), !text.hasPrefix("+") { return .integer(whole) }
            // Swift reads more as a number than JSON has: `0x1p4`, `nan`, `+1`.
            let isPlain = bytes.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
            guard isPlain, !text.hasPrefix("+"), let number = Double(text), number.isFinite else {
                throw JSONMistake("`\(sample(bytes))` is not a JSON value")
            }
            return .real(number)
        }
    }

    private static func trim(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return UnsafeRawBufferPointer(rebasing: bytes[0..<0]) }
        return UnsafeRawBufferPointer(rebasing: bytes[first...last])
    }

    private static func sample(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix(40), as: UTF8.self) + (bytes.count > 40 ? "..." : "")
    }
}
