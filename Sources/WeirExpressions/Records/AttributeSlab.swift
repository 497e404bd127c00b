/// Memory for compact records, given out in large pieces and freed as a whole. One owner fills it; then it is only read
/// and may be shared.
package final class AttributeSlab: @unchecked Sendable {
    // Nothing is written after the owner has handed it on (see above).
    private static let pieceSize = 1 << 20

    private var pieces: [UnsafeMutableRawPointer] = []
    private var left = 0
    private var next: UnsafeMutableRawPointer?
    /// Memory taken from the system.
    package private(set) var byteCount = 0

    package init() {}

    deinit { for piece in pieces { piece.deallocate() } }

    fileprivate func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        if count > left || next == nil {
            let size = max(count, Self.pieceSize)
            let piece = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
            pieces.append(piece)
            byteCount += size
            // A large record gets a piece of its own, and the piece before goes on being filled.
            if count >= Self.pieceSize { return piece }
            next = piece
            left = size
        }
        guard let place = next else { preconditionFailure("a slab without a piece") }
        next = place + count
        left -= count
        return place
    }
}

/// Writes records into a slab: `begin`, then `attribute` and its `value`s, then `finish`. What is handed in is copied
/// by `finish` and must live until then.
package struct AttributeWriter {
    private struct Entry {
        var number: UInt16
        var isList: Bool
        var first: Int
        var count: Int
    }

    private let slab: AttributeSlab
    private var anchor = UnsafeRawBufferPointer(start: nil, count: 0)
    private var name = UnsafeRawBufferPointer(start: nil, count: 0)
    private var entries: [Entry] = []
    private var values: [UnsafeRawBufferPointer] = []

    package init(_ slab: AttributeSlab) { self.slab = slab }

    package mutating func begin(anchor: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) {
        self.anchor = anchor
        self.name = name.count == anchor.count && name.elementsEqual(anchor) ? .init(start: nil, count: 0) : name
        entries.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    /// - Parameter isList: what the schema says; an attribute with several values is written as a list anyhow, so that
    ///   whoever reads it as one value is told.
    package mutating func attribute(_ number: UInt16, isList: Bool) {
        entries.append(Entry(number: number, isList: isList, first: values.count, count: 0))
    }

    package mutating func value(_ bytes: UnsafeRawBufferPointer) {
        guard !entries.isEmpty else { return }
        values.append(bytes)
        entries[entries.count - 1].count += 1
    }

    package mutating func finish() -> AttributeRecord {
        for at in entries.indices.dropFirst() {
            var place = at
            while place > 0, entries[place - 1].number > entries[place].number {
                entries.swapAt(place - 1, place)
                place -= 1
            }
        }
        for at in entries.indices where entries[at].count != 1 { entries[at].isList = true }
        var plain = 0
        var listed = 0
        for entry in entries {
            for at in entry.first..<(entry.first + entry.count) { plain += values[at].count }
            if entry.isList { listed += entry.count }
        }
        let isWide = plain + 2 * listed > 0xFFFF
        let entrySize = isWide ? 8 : 4
        let size = plain + listed * (isWide ? 4 : 2)
        let header = AttributeRecord.headerSize + entries.count * entrySize
        let base = slab.allocate(header + anchor.count + name.count + size)
        base.storeBytes(of: UInt16(truncatingIfNeeded: entries.count), toByteOffset: 0, as: UInt16.self)
        base.storeBytes(of: UInt16(truncatingIfNeeded: anchor.count), toByteOffset: 2, as: UInt16.self)
        base.storeBytes(of: UInt16(truncatingIfNeeded: name.count), toByteOffset: 4, as: UInt16.self)
        base.storeBytes(of: isWide ? 1 : 0, toByteOffset: 6, as: UInt16.self)
        var place = base + header
        Self.put(anchor, &place)
        Self.put(name, &place)
        let start = place
        for (at, entry) in entries.enumerated() {
            for value in entry.first..<(entry.first + entry.count) {
                if entry.isList {
                    if isWide {
                        place.storeBytes(of: UInt32(truncatingIfNeeded: values[value].count), as: UInt32.self)
                        place += 4
                    } else {
                        place.storeBytes(of: UInt16(truncatingIfNeeded: values[value].count), as: UInt16.self)
                        place += 2
                    }
                }
                Self.put(values[value], &place)
            }
            let slot = base + AttributeRecord.headerSize + at * entrySize
            slot.storeBytes(of: entry.number | (entry.isList ? 0x8000 : 0), as: UInt16.self)
            let end = place - start
            if isWide {
                slot.storeBytes(of: 0, toByteOffset: 2, as: UInt16.self)
                slot.storeBytes(of: UInt32(truncatingIfNeeded: end), toByteOffset: 4, as: UInt32.self)
            } else {
                slot.storeBytes(of: UInt16(truncatingIfNeeded: end), toByteOffset: 2, as: UInt16.self)
            }
        }
        return AttributeRecord(base)
    }

    @inline(__always)
    private static func put(_ bytes: UnsafeRawBufferPointer, _ place: inout UnsafeMutableRawPointer) {
        guard let from = bytes.baseAddress, bytes.count > 0 else { return }
        place.copyMemory(from: from, byteCount: bytes.count)
        place += bytes.count
    }
}
