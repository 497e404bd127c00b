package import NIOCore

/// Names with values of many types (section 4.2.5.5, with the type letters that RabbitMQ and its clients really use).
package struct AMQPTable: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package var name: String
        package var value: AMQPValue

        package init(_ name: String, _ value: AMQPValue) {
            self.name = name
            self.value = value
        }
    }

    package var entries: [Entry]

    package init(_ entries: [Entry] = []) { self.entries = entries }

    package subscript(name: String) -> AMQPValue? { entries.first { $0.name == name }?.value }

    /// Tables and arrays within one another; deeper ones would only serve to use up the stack.
    static let depthMost = 8

    static func read(from buffer: inout ByteBuffer, depth: Int = 0) throws(AMQPMistake) -> AMQPTable {
        guard depth <= depthMost else { throw AMQPMistake(.syntaxError, "a table is deeper than \(depthMost)") }
        var content = try buffer.readAMQPLong()
        var table = AMQPTable()
        while content.readableBytes > 0 {
            let name = try content.readAMQPShort()
            table.entries.append(Entry(name, try AMQPValue.read(from: &content, depth: depth)))
        }
        return table
    }

    func write(to buffer: inout ByteBuffer) {
        let place = buffer.writerIndex
        buffer.writeInteger(UInt32(0))
        for entry in entries {
            buffer.writeAMQPShort(entry.name)
            entry.value.write(to: &buffer)
        }
        buffer.setInteger(UInt32(clamping: buffer.writerIndex - place - 4), at: place)
    }
}

package indirect enum AMQPValue: Sendable, Hashable {
    case none
    case flag(Bool)
    /// All whole numbers; written as 64 bits.
    case int(Int64)
    case real(Double)
    case decimal(scale: UInt8, digits: Int32)
    /// Mostly text, but any bytes.
    case string(ByteBuffer)
    case bytes(ByteBuffer)
    /// Seconds since 1970.
    case time(UInt64)
    case list([AMQPValue])
    case table(AMQPTable)

    package static func text(_ text: String) -> AMQPValue { .string(ByteBuffer(string: text)) }

    package var table: AMQPTable? {
        if case .table(let table) = self { return table }
        return nil
    }

    package var flag: Bool? {
        if case .flag(let flag) = self { return flag }
        return nil
    }

    package var text: String? {
        if case .string(let bytes) = self { return String(buffer: bytes) }
        return nil
    }

    static func read(from buffer: inout ByteBuffer, depth: Int) throws(AMQPMistake) -> AMQPValue {
        let type = try buffer.readAMQPInteger(UInt8.self)
        switch UnicodeScalar(type) {
        case "t": return .flag(try buffer.readAMQPInteger(UInt8.self) != 0)
        case "b": return .int(Int64(try buffer.readAMQPInteger(Int8.self)))
        case "B": return .int(Int64(try buffer.readAMQPInteger(UInt8.self)))
        case "s": return .int(Int64(try buffer.readAMQPInteger(Int16.self)))
        case "u": return .int(Int64(try buffer.readAMQPInteger(UInt16.self)))
        case "I": return .int(Int64(try buffer.readAMQPInteger(Int32.self)))
        case "i": return .int(Int64(try buffer.readAMQPInteger(UInt32.self)))
        case "l": return .int(try buffer.readAMQPInteger(Int64.self))
        case "f": return .real(Double(Float(bitPattern: try buffer.readAMQPInteger(UInt32.self))))
        case "d": return .real(Double(bitPattern: try buffer.readAMQPInteger(UInt64.self)))
        case "D":
            let scale = try buffer.readAMQPInteger(UInt8.self)
            return .decimal(scale: scale, digits: try buffer.readAMQPInteger(Int32.self))
        case "S": return .string(try buffer.readAMQPLong())
        case "x": return .bytes(try buffer.readAMQPLong())
        case "T": return .time(try buffer.readAMQPInteger(UInt64.self))
        case "F": return .table(try AMQPTable.read(from: &buffer, depth: depth + 1))
        case "A": return .list(try list(from: &buffer, depth: depth + 1))
        case "V": return .none
        default: throw AMQPMistake(.syntaxError, "unknown type \(type) in a table")
        }
    }

    private static func list(from buffer: inout ByteBuffer, depth: Int) throws(AMQPMistake) -> [AMQPValue] {
        guard depth <= AMQPTable.depthMost else { throw AMQPMistake(.syntaxError, "an array is too deep") }
        var content = try buffer.readAMQPLong()
        var values: [AMQPValue] = []
        while content.readableBytes > 0 { values.append(try read(from: &content, depth: depth)) }
        return values
    }

    func write(to buffer: inout ByteBuffer) {
        func type(_ letter: Unicode.Scalar) { buffer.writeInteger(UInt8(truncatingIfNeeded: letter.value)) }
        switch self {
        case .none: type("V")
        case .flag(let flag):
            type("t")
            buffer.writeInteger(UInt8(flag ? 1 : 0))
        case .int(let number):
            type("l")
            buffer.writeInteger(number)
        case .real(let number):
            type("d")
            buffer.writeInteger(number.bitPattern)
        case .decimal(let scale, let digits):
            type("D")
            buffer.writeInteger(scale)
            buffer.writeInteger(digits)
        case .string(let bytes):
            type("S")
            buffer.writeAMQPLong(bytes)
        case .bytes(let bytes):
            type("x")
            buffer.writeAMQPLong(bytes)
        case .time(let seconds):
            type("T")
            buffer.writeInteger(seconds)
        case .list(let values):
            type("A")
            let place = buffer.writerIndex
            buffer.writeInteger(UInt32(0))
            for value in values { value.write(to: &buffer) }
            buffer.setInteger(UInt32(clamping: buffer.writerIndex - place - 4), at: place)
        case .table(let table):
            type("F")
            table.write(to: &buffer)
        }
    }
}
