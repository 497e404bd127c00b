package import NIOCore

/// The 12 bytes before every frame of yamux version 0 (hashicorp/yamux, spec.md): version, type, flags, stream,
/// length, big-endian. What follows them, and only after `data`, are `length` bytes.
package struct YamuxHeader: Sendable, Hashable {
    package enum Kind: UInt8, Sendable, Hashable {
        /// `length` bytes of a stream follow.
        case data = 0
        /// The sender grants `length` more bytes; with `reset`, `length` is a reason (`YamuxReason`).
        case window = 1
        /// A question (`open`) or its answer (`accept`) with the same opaque `length`; stream 0.
        case ping = 2
        /// The sender opens and takes no more streams; `length` is a `YamuxGoAway`; stream 0.
        case goAway = 3
    }

    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        /// SYN: begins a stream.
        package static let open = Flags(rawValue: 1)
        /// ACK: the stream is taken.
        package static let accept = Flags(rawValue: 2)
        /// FIN: the sender sends no more; the other direction goes on.
        package static let finish = Flags(rawValue: 4)
        /// RST: the stream is over at once, in both directions.
        package static let reset = Flags(rawValue: 8)
        static let known: Flags = [.open, .accept, .finish, .reset]
    }

    package static let byteCount = 12
    /// What a stream may send before the first grant, in both directions.
    package static let windowFirst = 262_144

    package var kind: Kind
    package var flags: Flags
    package var stream: UInt32
    package var length: UInt32

    package init(_ kind: Kind, _ flags: Flags = [], stream: UInt32, length: UInt32 = 0) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.length = length
    }

    /// - Returns: `nil` when fewer than 12 bytes are there; `bytes` then stays as it is.
    /// - Throws: `YamuxMistake` for a header that no yamux peer sends.
    package init?(from bytes: inout ByteBuffer) throws(YamuxMistake) {
        guard let (first, second) = bytes.readMultipleIntegers(as: (UInt64, UInt32).self) else { return nil }
        guard first >> 56 == 0 else { throw .version(UInt8(first >> 56)) }
        guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: first >> 48)) else {
            throw .kind(UInt8(truncatingIfNeeded: first >> 48))
        }
        let flags = Flags(rawValue: UInt16(truncatingIfNeeded: first >> 32))
        guard flags.isSubset(of: .known) else { throw .flags(flags.rawValue) }
        self.init(kind, flags, stream: UInt32(truncatingIfNeeded: first), length: second)
    }

    package func write(to bytes: inout ByteBuffer) {
        let first = UInt64(kind.rawValue) << 48 | UInt64(flags.rawValue) << 32 | UInt64(stream)
        bytes.writeMultipleIntegers(first, length)
    }
}

/// Why a whole session ends; the `length` of a `goAway`.
package enum YamuxGoAway: UInt32, Sendable, Hashable {
    case normal = 0
    case protocolError = 1
    case internalError = 2
}

/// Bytes that are no yamux.
package enum YamuxMistake: Error, Sendable, Hashable, CustomStringConvertible {
    case version(UInt8)
    case kind(UInt8)
    case flags(UInt16)

    package var description: String {
        switch self {
        case .version(let version): "a frame of version \(version); this is yamux version 0"
        case .kind(let kind): "a frame of type \(kind); yamux has 0 to 3"
        case .flags(let flags): "a frame with the flags \(String(flags, radix: 2)) (binary); yamux has four"
        }
    }
}
