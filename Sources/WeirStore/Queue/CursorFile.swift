import NIOCore
import WeirWorld

/// Where the consumer is, in two slots written in turn, so that a torn write leaves the other one. A hint: see
/// SegmentFormat.swift.
final class CursorFile {
    struct Cursor: Hashable {
        var generation: UInt64 = 0
        var position: UInt64
        var before: UInt32
        /// Of the segment that holds the position; 0 when there was none.
        var salt: UInt32
    }

    static let name = "cursor"
    private static let slotLength = 48
    private static let slots: [Int64] = [0, 4096]

    private let file: any FileHandle
    private var generation: UInt64

    /// Opens the file, made when missing.
    init(_ files: any FileSystem, directory: String, generation: UInt64) throws(FileFailure) {
        file = try files.open(directory + "/" + CursorFile.name, .readWrite)
        self.generation = generation
    }

    func write(_ cursor: Cursor) throws(FileFailure) {
        generation += 1
        var cursor = cursor
        cursor.generation = generation
        try file.write(CursorFile.encode(cursor), at: CursorFile.slots[Int(generation % 2)])
    }

    func sync() throws(FileFailure) { try file.sync() }

    func close() { file.close() }

    /// The newer of the slots that can be read; `nil` when there is none.
    static func read(_ files: any FileSystem, directory: String) throws(FileFailure) -> Cursor? {
        let path = directory + "/" + name
        guard try files.status(path) != nil else { return nil }
        let file = try files.open(path, .read)
        defer { file.close() }
        var newest: Cursor?
        for slot in slots {
            let bytes = try file.bytes(at: slot, count: slotLength)
            guard let cursor = bytes.withUnsafeReadableBytes({ decode($0) }) else { continue }
            if cursor.generation > newest?.generation ?? 0 { newest = cursor }
        }
        return newest
    }

    static func encode(_ cursor: Cursor) -> [UInt8] {
        var bytes = ByteWriter()
        bytes.number(cursor.generation)
        bytes.number(cursor.position)
        bytes.number(cursor.before)
        bytes.number(cursor.salt)
        // Something that zeros are not: an empty slot must not count as generation 0.
        bytes.text("weircurs")
        bytes.number(SegmentFormat.checksum(bytes.bytes))
        bytes.number(0 as UInt32)
        bytes.number(0 as UInt64)
        return bytes.bytes
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> Cursor? {
        guard bytes.count == slotLength, bytes[24..<32].elementsEqual("weircurs".utf8),
            SegmentFormat.checksum(bytes.prefix(32)) == bytes.number(at: 32, as: UInt32.self)
        else { return nil }
        let position = bytes.number(at: 8, as: UInt64.self)
        // Room for two hundred years at full speed, and no overflow in any sum.
        guard position < 1 << 62 else { return nil }
        return Cursor(
            generation: bytes.number(at: 0, as: UInt64.self), position: position,
            before: bytes.number(at: 16, as: UInt32.self), salt: bytes.number(at: 20, as: UInt32.self))
    }
}
