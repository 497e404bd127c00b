/// An object whose attributes are found by number, in memory: what conditions over identities read. It borrows memory
/// that somebody else keeps; all zero it is an object that is not there.
///
/// Layout, in the machine's byte order, so that it never leaves the process:
/// ```
/// u16 number of attributes    u16 bytes of the anchor    u16 bytes of the name    u16 1 = wide
/// for each attribute, ascending by number:
///     narrow: u16 number (bit 15: a list), u16 end of its values
///     wide:   u16 number (bit 15: a list), u16 0, u32 end of its values
/// the anchor · the name (none where it is the anchor) · values
/// ```
/// Ends are counted from the first value's byte. A single value is its bytes; a list is each value after its length
/// (u16, or u32 where wide). A record is narrow when all its values together have less than 64 KB.
package struct AttributeRecord {
    static let headerSize = 8
    package let base: UnsafeRawPointer?

    package init(_ base: UnsafeRawPointer?) { self.base = base }

    package static var none: AttributeRecord { AttributeRecord(nil) }
    package var isPresent: Bool { base != nil }

    /// One attribute's values.
    package struct Found {
        package let isList: Bool
        let isWide: Bool
        /// The value, or the list's bytes.
        package let bytes: UnsafeRawBufferPointer

        package func forEachValue(_ body: (UnsafeRawBufferPointer) -> Void) {
            guard isList else { return body(bytes) }
            var at = 0
            while at < bytes.count {
                let length: Int
                if isWide {
                    length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                    at += 4
                } else {
                    length = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
                    at += 2
                }
                body(UnsafeRawBufferPointer(rebasing: bytes[at..<(at + length)]))
                at += length
            }
        }

        package var texts: [String] {
            var result: [String] = []
            forEachValue { result.append(String(decoding: $0, as: UTF8.self)) }
            return result
        }
    }

    @inline(__always)
    private static func load16(_ base: UnsafeRawPointer, _ at: Int) -> Int {
        Int(base.loadUnaligned(fromByteOffset: at, as: UInt16.self))
    }

    package var anchor: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let entry = Self.load16(base, 6) == 1 ? 8 : 4
        return UnsafeRawBufferPointer(
            start: base + Self.headerSize + Self.load16(base, 0) * entry, count: Self.load16(base, 2))
    }

    package var name: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let count = Self.load16(base, 4)
        guard count > 0 else { return anchor }
        let entry = Self.load16(base, 6) == 1 ? 8 : 4
        let start = Self.headerSize + Self.load16(base, 0) * entry + Self.load16(base, 2)
        return UnsafeRawBufferPointer(start: base + start, count: count)
    }

    /// - Parameter number: from the `AttributeNames` that the record was written with.
    @inline(__always)
    package func find(_ number: UInt16) -> Found? {
        guard let base else { return nil }
        let count = Self.load16(base, 0)
        let isWide = Self.load16(base, 6) == 1
        let entry = isWide ? 8 : 4
        let entries = base + Self.headerSize
        var at = 0
        while at < count {
            let found = Self.load16(entries, at * entry)
            if UInt16(truncatingIfNeeded: found & 0x7FFF) >= number { break }
            at += 1
        }
        guard at < count, UInt16(truncatingIfNeeded: Self.load16(entries, at * entry) & 0x7FFF) == number else {
            return nil
        }
        return found(at, entries, count, isWide)
    }

    package func forEachAttribute(_ body: (UInt16, Found) -> Void) {
        guard let base else { return }
        let count = Self.load16(base, 0)
        let isWide = Self.load16(base, 6) == 1
        let entries = base + Self.headerSize
        for at in 0..<count {
            let number = UInt16(truncatingIfNeeded: Self.load16(entries, at * (isWide ? 8 : 4)) & 0x7FFF)
            body(number, found(at, entries, count, isWide))
        }
    }

    @inline(__always)
    private func found(_ at: Int, _ entries: UnsafeRawPointer, _ count: Int, _ isWide: Bool) -> Found {
        let entry = isWide ? 8 : 4
        let header = entries - Self.headerSize
        let values = entries + count * entry + Self.load16(header, 2) + Self.load16(header, 4)
        let isList = Self.load16(entries, at * entry) & 0x8000 != 0
        let end: Int
        let start: Int
        if isWide {
            end = Int(entries.loadUnaligned(fromByteOffset: at * 8 + 4, as: UInt32.self))
            start = at == 0 ? 0 : Int(entries.loadUnaligned(fromByteOffset: at * 8 - 4, as: UInt32.self))
        } else {
            end = Self.load16(entries, at * 4 + 2)
            start = at == 0 ? 0 : Self.load16(entries, at * 4 - 2)
        }
        return Found(
            isList: isList, isWide: isWide, bytes: UnsafeRawBufferPointer(start: values + start, count: end - start))
    }
}
