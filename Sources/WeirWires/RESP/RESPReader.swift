/// Reads answers of a Redis server from bytes that come in pieces. A value: what is not whole stays here.
///
/// Lists that wait for their elements stand on a stack, so that an answer of a thousand elements is read once and not
/// anew with each piece. Bounded: bulk strings of 16 MiB, a million elements in a list, lists eight deep.
package struct RESPReader: Sendable {
    /// The bytes are no answer: the connection cannot go on.
    package struct Mistake: Error, Sendable, Hashable {
        package var message: String
    }

    private struct Open {
        var left: Int
        var values: [RESPValue] = []
    }

    package static let bulkMost = 16 << 20
    package static let elementsMost = 1_000_000
    package static let depthMost = 8
    /// Of a line: a status, a number, an error.
    package static let lineMost = 64 << 10

    private var bytes: [UInt8] = []
    private var place = 0
    private var open: [Open] = []

    package init() {}

    package mutating func add(_ more: some Sequence<UInt8>) {
        if place > 0 {
            bytes.removeFirst(place)
            place = 0
        }
        bytes += more
    }

    /// - Returns: the next answer, or `nil` when it has not come whole.
    package mutating func next() throws(Mistake) -> RESPValue? {
        while true {
            guard let element = try element() else { return nil }
            var value: RESPValue
            switch element {
            case .value(let whole): value = whole
            case .list(let count) where count == 0: value = .list([])
            case .list(let count):
                guard open.count < Self.depthMost else { throw Mistake(message: "lists are nested too deeply") }
                open.append(Open(left: count))
                continue
            }
            while var list = open.popLast() {
                list.values.append(value)
                list.left -= 1
                guard list.left == 0 else {
                    open.append(list)
                    break
                }
                value = .list(list.values)
                if open.isEmpty { return value }
            }
            if open.isEmpty { return value }
        }
    }

    private enum Element {
        case value(RESPValue)
        case list(Int)
    }

    private mutating func element() throws(Mistake) -> Element? {
        guard let end = try lineEnd(), place < end else { return nil }
        let kind = bytes[place]
        let line = bytes[(place + 1)..<end]
        let after = end + 2
        switch kind {
        case UInt8(ascii: "+"):
            place = after
            return .value(.text(Array(line)))
        case UInt8(ascii: "-"):
            place = after
            return .value(.failure(String(decoding: line, as: UTF8.self)))
        case UInt8(ascii: ":"):
            let number = try Self.number(line)
            place = after
            return .value(.number(number))
        case UInt8(ascii: "$"):
            let length = try Self.number(line)
            guard length >= 0 else {
                place = after
                return .value(.none)
            }
            guard length <= Self.bulkMost else { throw Mistake(message: "a string of \(length) bytes") }
            let stop = after + Int(length)
            guard bytes.count >= stop + 2 else { return nil }
            place = stop + 2
            return .value(.text(Array(bytes[after..<stop])))
        case UInt8(ascii: "*"):
            let count = try Self.number(line)
            guard count <= Self.elementsMost else { throw Mistake(message: "a list of \(count) elements") }
            place = after
            return count < 0 ? .value(.none) : .list(Int(count))
        default: throw Mistake(message: "an answer that begins with byte \(kind)")
        }
    }

    /// Where the next `\r\n` begins.
    private func lineEnd() throws(Mistake) -> Int? {
        var end = place
        while end + 1 < bytes.count {
            if bytes[end] == 13, bytes[end + 1] == 10 {
                guard end > place else { throw Mistake(message: "an empty line") }
                return end
            }
            end += 1
            guard end - place <= Self.lineMost else { throw Mistake(message: "a line without an end") }
        }
        return nil
    }

    private static func number(_ line: ArraySlice<UInt8>) throws(Mistake) -> Int64 {
        guard let number = Int64(String(decoding: line, as: UTF8.self)) else {
            throw Mistake(message: "`\(String(decoding: line.prefix(20), as: UTF8.self))` is no number")
        }
        return number
    }
}
