import Foundation
import NIOCore
import WeirStore
import WeirWorld

/// A bundle as a record of the work queue, and back.
///
/// Kind: bits 0-1 what the bytes are (1 a STIX bundle, 2 a queue message of OpenCTI, 3 events, 0 nothing: only the end
/// of a run), bit 2 set when they lie in a file of the spool, bit 3 set when the end of a run comes first in the
/// payload (length u32, JSON).
/// Attributes: version u8 = 1 · size of the bundle i64 · work, then file name, each length u16 and bytes; empty for
/// none. All numbers little-endian.
struct WorkRecord: Sendable {
    enum Body: Sendable {
        case inline(BundleHead.Encoding, ByteBuffer)
        case spooled(BundleHead.Encoding, file: String)
        /// Only the end of a run.
        case none
    }

    var body: Body
    var work: WorkID?
    /// Of the bundle, wherever it lies.
    var bytes: Int64
    var runEnd: RunEnd?

    /// False where it is only the end of a run.
    var hasBundle: Bool { if case .none = body { false } else { true } }

    var file: String? { if case .spooled(_, let file) = body { file } else { nil } }

    func record(at wall: WallTime) throws -> QueueRecord {
        var attributes = ByteBuffer()
        attributes.writeInteger(1 as UInt8)
        attributes.writeInteger(bytes, endianness: .little)
        for text in [work ?? "", file ?? ""] {
            let bytes = text.utf8.prefix(4_096)
            attributes.writeInteger(UInt16(bytes.count), endianness: .little)
            attributes.writeBytes(bytes)
        }
        var kind: UInt8 = 0
        var payload: [ByteBuffer] = []
        if let runEnd {
            kind |= 8
            let json = try JSONEncoder().encode(runEnd)
            var buffer = ByteBuffer()
            buffer.writeInteger(UInt32(json.count), endianness: .little)
            buffer.writeBytes(json)
            payload.append(buffer)
        }
        switch body {
        case .inline(let encoding, let buffer):
            kind |= encoding.code
            payload.append(buffer)
        case .spooled(let encoding, _): kind |= encoding.code | 4
        case .none: break
        }
        return QueueRecord(payload: payload, count: 1, kind: kind, attributes: attributes, time: wall)
    }

    /// `nil` where the record is not one of ours.
    init?(_ record: StoredRecord) {
        var attributes = record.attributes
        guard attributes.readInteger(as: UInt8.self) == 1,
            let bytes = attributes.readInteger(endianness: .little, as: Int64.self), bytes >= 0,
            let work = Self.text(&attributes), let file = Self.text(&attributes)
        else { return nil }
        self.bytes = bytes
        self.work = work.isEmpty ? nil : work
        var payload = record.payload
        if record.kind & 8 != 0 {
            guard let length = payload.readInteger(endianness: .little, as: UInt32.self),
                let json = payload.readBytes(length: Int(length)),
                let end = try? JSONDecoder().decode(RunEnd.self, from: Data(json))
            else { return nil }
            runEnd = end
        }
        switch (record.kind & 3, record.kind & 4 != 0) {
        case (0, false): body = .none
        case (1, false): body = .inline(.stix, payload)
        case (2, false): body = .inline(.message, payload)
        case (3, false): body = .inline(.events, payload)
        case (1, true) where Self.isFileName(file): body = .spooled(.stix, file: file)
        case (2, true) where Self.isFileName(file): body = .spooled(.message, file: file)
        case (3, true) where Self.isFileName(file): body = .spooled(.events, file: file)
        default: return nil
        }
    }

    init(body: Body, work: WorkID?, bytes: Int64, runEnd: RunEnd? = nil) {
        self.body = body
        self.work = work
        self.bytes = bytes
        self.runEnd = runEnd
    }

    private static func text(_ buffer: inout ByteBuffer) -> String? {
        guard let length = buffer.readInteger(endianness: .little, as: UInt16.self) else { return nil }
        return buffer.readString(length: Int(length))
    }

    // The name comes from a file on disk: it must not lead out of the spool.
    static func isFileName(_ name: String) -> Bool { !name.isEmpty && !name.contains("/") && name != ".." }
}

extension BundleHead.Encoding {
    fileprivate var code: UInt8 {
        switch self {
        case .stix: 1
        case .message: 2
        case .events: 3
        }
    }
}
