/// Objects of one kind, as compact records in one run of bytes: what a scan hands over and what is kept.
///
/// A record, all numbers little-endian:
/// ```
/// u32 length of what follows
/// u16 length, bytes   the anchor
/// u16 length, bytes   the name
/// u16                 number of attributes, sorted by name, then for each:
///   u8 length, bytes    its name in lower case
///   u32                 length of what follows for this attribute
///   u32                 number of values, sorted and each but once, then for each:
///     u32 length, bytes
/// ```
/// Everything is sorted, so that equal objects are equal bytes. Values are UTF-8; what is not text (a photo) is what
/// its provider makes of it, mostly base64. `RecordBuilder` fills a batch, `Record` reads it.
package struct RecordBatch: Sendable {
    /// Fits a batch that is handed from room to room: about 256 KB.
    package static let bytesWanted = 256 << 10

    package internal(set) var bytes: [UInt8] = []
    /// Where each record begins in `bytes`, at its length.
    package internal(set) var starts: [Int] = []

    package init() {}

    package var count: Int { starts.count }
    package var isEmpty: Bool { starts.isEmpty }

    package mutating func reserve(_ byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
    }

    /// Records that were written before (`bytes`, whole). Nil where they are not whole or not in the format.
    package init?(reading bytes: [UInt8]) {
        self.bytes = bytes
        let isValid = bytes.withUnsafeBytes { all -> Bool in
            var at = 0
            while at < all.count {
                guard all.count - at >= 4 else { return false }
                let length = Int(all.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                guard length <= all.count - at - 4 else { return false }
                guard Record.isWhole(UnsafeRawBufferPointer(rebasing: all[(at + 4)..<(at + 4 + length)])) else {
                    return false
                }
                starts.append(at)
                at += 4 + length
            }
            return true
        }
        guard isValid else { return nil }
    }

    /// The record borrows the batch's bytes: it is good until `body` returns.
    @inline(__always)
    package func withRecord<R, E: Error>(_ at: Int, _ body: (Record) throws(E) -> R) throws(E) -> R {
        let start = starts[at]
        // A closure over rethrowing pointers loses the error's type; a result keeps it.
        let result: Result<R, E> = bytes.withUnsafeBytes { all in
            let length = Int(all.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            let record = Record(UnsafeRawBufferPointer(rebasing: all[(start + 4)..<(start + 4 + length)]))
            do throws(E) { return .success(try body(record)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    package func eachRecord(_ body: (Record) throws -> Void) rethrows {
        try bytes.withUnsafeBytes { all in
            for start in starts {
                let length = Int(all.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                try body(Record(UnsafeRawBufferPointer(rebasing: all[(start + 4)..<(start + 4 + length)])))
            }
        }
    }

    package func object(_ at: Int, kind: ObjectKind) -> SiloObject {
        withRecord(at) { $0.object(kind: kind) }
    }

    /// Takes a record over as it is.
    package mutating func append(_ record: Record) {
        starts.append(bytes.count)
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: record.bytes.count).littleEndian) {
            bytes.append(contentsOf: $0)
        }
        bytes.append(contentsOf: record.bytes)
    }

    /// - Throws: `RecordRefusal` where the object is larger than a record may be; the batch is then as it was.
    package mutating func append(_ object: SiloObject) throws(RecordRefusal) {
        var builder = RecordBuilder()
        try builder.append(object, to: &self)
    }
}

/// Why an object cannot be a record.
package struct RecordRefusal: Error, Sendable, Equatable {
    package var reason: String

    package init(_ reason: String) { self.reason = reason }
}
