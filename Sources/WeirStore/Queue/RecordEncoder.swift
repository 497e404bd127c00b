import CWeirSystem
import NIOCore
import WeirWorld

/// Codes records into one buffer that is written with one call. Confined to the writer's lane.
final class RecordEncoder {
    private var bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var unpacked = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 16)
    private(set) var count = 0
    private let compressor = Compressor()

    /// Above this the buffers are given back after use: one big batch must not stay in memory for ever.
    private static let keptMost = 2 << 20

    deinit {
        bytes.deallocate()
        unpacked.deallocate()
    }

    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }

    func clear() {
        count = 0
        if bytes.count > RecordEncoder.keptMost { resize(&bytes, 256 << 10, keeping: 0) }
        if unpacked.count > RecordEncoder.keptMost { resize(&unpacked, 0, keeping: 0) }
    }

    /// The most that a record takes on disk.
    static func bound(_ record: QueueRecord) -> Int {
        RecordHeader.length + 6 + record.attributes.readableBytes + record.payloadBytes
    }

    /// - Precondition: the record is within the format's limits.
    /// - Returns: the record's length on disk.
    func append(
        _ record: QueueRecord, salt: UInt32, position: UInt64, before: UInt32, compression: QueueSettings.Compression
    ) -> Int {
        let payloadBytes = record.payloadBytes
        let most =
            RecordEncoder.bound(record) + (compression == .none ? 0 : Compressor.bound(payloadBytes, compression))
        if bytes.count - count < most { resize(&bytes, max(bytes.count * 2, count + most), keeping: count) }
        let start = count
        var place = start + RecordHeader.length
        var flags = RecordHeader.Flags()
        // A body is never empty, so that zeros are no record.
        if record.attributes.readableBytes > 0 || payloadBytes == 0 {
            flags.insert(.attributes)
            store(UInt16(record.attributes.readableBytes), &place)
            copy(record.attributes, &place)
        }
        if compression != .none, let packed = pack(record, payloadBytes, compression, at: place + 4) {
            flags.formUnion(RecordHeader.Flags(rawValue: compression.rawValue))
            store(UInt32(payloadBytes), &place)
            place += packed
        } else {
            for piece in record.payload { copy(piece, &place) }
        }
        let header = RecordHeader(
            kind: record.kind, count: record.count, time: record.time, bodyLength: place - start - RecordHeader.length,
            flags: flags, before: before)
        let whole = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<place])
        header.encode(into: whole)
        RecordHeader.encode(
            checksum: RecordHeader.checksum(of: UnsafeRawBufferPointer(whole), salt: salt, position: position),
            into: whole)
        count = place
        return place - start
    }

    private func pack(
        _ record: QueueRecord, _ payloadBytes: Int, _ compression: QueueSettings.Compression, at place: Int
    ) -> Int? {
        let target = UnsafeMutableRawBufferPointer(rebasing: bytes[place...])
        if record.payload.count == 1 {
            return record.payload[0].withUnsafeReadableBytes { compressor.pack($0, into: target, compression) }
        }
        if unpacked.count < payloadBytes { resize(&unpacked, payloadBytes, keeping: 0) }
        var filled = 0
        for piece in record.payload {
            piece.withUnsafeReadableBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: unpacked[filled...]).copyMemory(from: source)
            }
            filled += piece.readableBytes
        }
        return compressor.pack(UnsafeRawBufferPointer(rebasing: unpacked[..<filled]), into: target, compression)
    }

    private func store(_ number: some FixedWidthInteger, _ place: inout Int) {
        bytes.storeBytes(of: number.littleEndian, toByteOffset: place, as: type(of: number))
        place += number.bitWidth / 8
    }

    private func copy(_ buffer: ByteBuffer, _ place: inout Int) {
        buffer.withUnsafeReadableBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: bytes[place...]).copyMemory(from: source)
        }
        place += buffer.readableBytes
    }

    private func resize(_ buffer: inout UnsafeMutableRawBufferPointer, _ size: Int, keeping kept: Int) {
        let fresh = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        fresh.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<kept]))
        buffer.deallocate()
        buffer = fresh
    }
}

extension StoredRecord {
    /// Takes a body apart; `nil` when it is not what its header says.
    init?(_ header: RecordHeader, position: UInt64, body: ByteBuffer) {
        var body = body
        var attributes = ByteBuffer()
        if header.flags.contains(.attributes) {
            guard let length = body.readInteger(endianness: .little, as: UInt16.self),
                let bytes = body.readSlice(length: Int(length))
            else { return nil }
            attributes = bytes
        }
        if header.flags.compression != 0 {
            guard let compression = QueueSettings.Compression(rawValue: header.flags.compression),
                let length = body.readInteger(endianness: .little, as: UInt32.self),
                let unpacked = Compressor.unpack(body, length: Int(length), compression)
            else { return nil }
            body = unpacked
        }
        self.init(
            offsets: QueueOffset(position)..<QueueOffset(position + UInt64(header.recordLength)), payload: body,
            count: header.count, kind: header.kind, attributes: attributes, time: header.time)
    }
}
