/// The little of BER (X.690, with the restrictions of RFC 4511 section 5.1) that the values of controls are made of.
enum BER {
    static func wrap(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        if content.count < 0x80 {
            length = [UInt8(content.count)]
        } else {
            var rest = content.count
            while rest > 0 {
                length.insert(UInt8(rest & 0xFF), at: 0)
                rest >>= 8
            }
            length.insert(0x80 | UInt8(length.count), at: 0)
        }
        return [tag] + length + content
    }

    static func sequence(_ parts: [[UInt8]]) -> [UInt8] { wrap(0x30, parts.flatMap { $0 }) }

    static func octets(_ content: some Sequence<UInt8>) -> [UInt8] { wrap(0x04, Array(content)) }

    /// - Parameter value: not negative.
    static func integer(_ value: Int) -> [UInt8] {
        var content: [UInt8] = []
        var rest = value
        repeat {
            content.insert(UInt8(rest & 0xFF), at: 0)
            rest >>= 8
        } while rest > 0
        if content[0] >= 0x80 { content.insert(0, at: 0) }
        return wrap(0x02, content)
    }

    /// Reads elements one after the other; nil at the end, and for whatever is no element.
    struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

        mutating func next() -> (tag: UInt8, content: ArraySlice<UInt8>)? {
            guard rest.count >= 2 else { return nil }
            let tag = rest[rest.startIndex]
            let first = rest[rest.startIndex + 1]
            var body = rest.dropFirst(2)
            var length = Int(first)
            if first >= 0x80 {
                let count = Int(first & 0x7F)
                guard count >= 1, count <= 4, body.count >= count else { return nil }
                length = body.prefix(count).reduce(0) { $0 << 8 | Int($1) }
                body = body.dropFirst(count)
            }
            guard length <= body.count else { return nil }
            rest = body.dropFirst(length)
            return (tag, body.prefix(length))
        }
    }
}
