/// A value of Redis' protocol, version 2 (redis.io, "RESP"): what a server answers.
package enum RESPValue: Sendable, Hashable {
    /// A status or a bulk string.
    case text([UInt8])
    case number(Int64)
    case list([RESPValue])
    /// No such key.
    case none
    /// `WRONGPASS …`: the first word is for machines.
    case failure(String)

    package var string: String? {
        if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    /// A number, or text that is one.
    package var integer: Int64? {
        switch self {
        case .number(let number): number
        case .text: string.flatMap { Int64($0) }
        default: nil
        }
    }

    package var list: [RESPValue]? {
        if case .list(let values) = self { values } else { nil }
    }

    /// A command, as clients send it: an array of bulk strings.
    package static func command(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words {
            bytes += Array("$\(word.count)\r\n".utf8)
            bytes += word
            bytes += [13, 10]
        }
        return bytes
    }
}
