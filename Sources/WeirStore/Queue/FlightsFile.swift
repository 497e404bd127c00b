import NIOCore
import WeirWorld

/// What the consumer had read and not let go of in order when the queue was closed. Without it, what was acknowledged
/// above a record that was not would be delivered again after a clean restart. A hint, as the cursor: written at the
/// close, taken away at the opening, and after a crash there is none.
///
/// An acknowledgement is for ever and no position is given twice, so an old file can be useless but never wrong.
///
/// File: magic "weirflts" · version u16 · zero u16 · count u32 · for each: start u64, length u32, before u32,
/// count u32, time i64, done u8 · crc32c of all before it.
struct FlightsFile {
    static let name = "flights"
    private static let entryLength = 29

    private let file: AtomicFile

    init(_ directory: QueueDirectory) {
        file = AtomicFile(path: directory.path(of: FlightsFile.name), files: directory.files)
    }

    /// Writes the flights up to the last one that is done; nothing where none is.
    func write(_ flights: some BidirectionalCollection<QueueState.Flight>) throws(StoreFailure) {
        guard let last = flights.lastIndex(where: \.isDone) else { return }
        try file.write(FlightsFile.encode(Array(flights[...last])))
    }

    /// Empty when there is no file, or one that cannot be read.
    func take() -> [QueueState.Flight] {
        guard let bytes = try? file.read() else { return [] }
        try? file.files.remove(file.path)
        return FlightsFile.decode(bytes)
    }

    static func encode(_ flights: [QueueState.Flight]) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.text("weirflts")
        bytes.number(1 as UInt16)
        bytes.number(0 as UInt16)
        bytes.number(UInt32(clamping: flights.count))
        for flight in flights {
            bytes.number(flight.range.lowerBound)
            bytes.number(UInt32(clamping: flight.range.count))
            bytes.number(flight.before)
            bytes.number(UInt32(clamping: flight.count))
            bytes.number(flight.time.nanoseconds)
            bytes.number(flight.isDone ? 1 : 0 as UInt8)
        }
        bytes.number(SegmentFormat.checksum(bytes.bytes))
        return bytes.bytes
    }

    static func decode(_ bytes: ByteBuffer) -> [QueueState.Flight] {
        var rest = bytes
        guard rest.readableBytes >= 20, let body = rest.readSlice(length: rest.readableBytes - 4),
            rest.readInteger(endianness: .little, as: UInt32.self) == SegmentFormat.checksum(body.readableBytesView)
        else { return [] }
        rest = body
        guard rest.readString(length: 8) == "weirflts", rest.readInteger(endianness: .little, as: UInt32.self) == 1,
            let count = rest.readInteger(endianness: .little, as: UInt32.self),
            rest.readableBytes == Int(count) * entryLength
        else { return [] }
        var flights: [QueueState.Flight] = []
        var known: UInt64 = 0
        for _ in 0..<count {
            guard let start = rest.readInteger(endianness: .little, as: UInt64.self),
                let length = rest.readInteger(endianness: .little, as: UInt32.self),
                let before = rest.readInteger(endianness: .little, as: UInt32.self),
                let count = rest.readInteger(endianness: .little, as: UInt32.self),
                let time = rest.readInteger(endianness: .little, as: Int64.self),
                let isDone = rest.readInteger(as: UInt8.self), start >= known, start < 1 << 62
            else { return [] }
            known = start + UInt64(length)
            flights.append(
                QueueState.Flight(
                    range: start..<known, before: before, count: Int(count), time: WallTime(nanoseconds: time),
                    isDone: isDone == 1))
        }
        return flights
    }
}
