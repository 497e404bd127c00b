#if canImport(Glibc)
    import Glibc
#endif

/// Makes records: anchor and name first, then values in any order, then `finish` sorts them into a batch. Made once for
/// a scan and used for all of its objects, because what it needs to sort is kept.
///
/// - An attribute's name is lowered (ASCII), so that directories that write `givenName` and `GIVENNAME` mean one.
/// - An attribute that gets no value is not there.
/// - The same value twice is one.
package struct RecordBuilder: Sendable {
    /// Most bytes that one object may have. A group of 200,000 members is about 12 MB.
    package static let recordMost = 64 << 20

    private struct Piece {
        var nameStart: Int
        var nameEnd: Int
        var valueEnd: Int
    }

    /// Names and values as they came: name, value, name, value, …
    private var scratch: [UInt8] = []
    private var pieces: [Piece] = []
    private var order: [Int] = []
    private var anchor: [UInt8] = []
    private var name: [UInt8] = []

    package init() {}

    /// - Parameter name: what the silo calls the object; empty where that is the anchor.
    package mutating func begin(anchor: some Collection<UInt8>, name: some Collection<UInt8>) {
        scratch.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        self.anchor.removeAll(keepingCapacity: true)
        self.anchor.append(contentsOf: anchor)
        self.name.removeAll(keepingCapacity: true)
        if name.isEmpty { self.name.append(contentsOf: anchor) } else { self.name.append(contentsOf: name) }
    }

    package mutating func begin(anchor: String, name: String = "") {
        begin(anchor: anchor.utf8, name: name.utf8)
    }

    package mutating func add(_ attribute: some Collection<UInt8>, _ value: some Collection<UInt8>) {
        let start = scratch.count
        for byte in attribute { scratch.append(byte >= 65 && byte <= 90 ? byte | 0x20 : byte) }
        let middle = scratch.count
        scratch.append(contentsOf: value)
        pieces.append(Piece(nameStart: start, nameEnd: middle, valueEnd: scratch.count))
    }

    package mutating func add(_ attribute: String, _ value: String) {
        add(attribute.utf8, value.utf8)
    }

    package mutating func append(_ object: SiloObject, to batch: inout RecordBatch) throws(RecordRefusal) {
        begin(anchor: object.anchor, name: object.name)
        for (attribute, values) in object.attributes {
            for value in values { add(attribute, value) }
        }
        try finish(into: &batch)
    }

    /// Ends the object and appends its record.
    /// - Throws: `RecordRefusal` where it is larger than a record may be; the batch is then as it was.
    package mutating func finish(into batch: inout RecordBatch) throws(RecordRefusal) {
        guard !anchor.isEmpty else { throw RecordRefusal("the object has no anchor") }
        guard anchor.count <= 0xFFFF else {
            throw RecordRefusal("its anchor has \(anchor.count) bytes; 65,535 at most")
        }
        guard name.count <= 0xFFFF else { throw RecordRefusal("its name has \(name.count) bytes; 65,535 at most") }
        guard scratch.count <= Self.recordMost else {
            throw RecordRefusal("it has \(scratch.count) bytes; \(Self.recordMost) at most")
        }
        for piece in pieces where piece.nameEnd - piece.nameStart > 255 {
            throw RecordRefusal("an attribute's name has more than 255 bytes")
        }
        sort()
        let start = batch.bytes.count
        batch.bytes.append(contentsOf: [0, 0, 0, 0])
        Self.put16(anchor.count, &batch.bytes)
        batch.bytes.append(contentsOf: anchor)
        Self.put16(name.count, &batch.bytes)
        batch.bytes.append(contentsOf: name)
        let countAt = batch.bytes.count
        Self.put16(0, &batch.bytes)
        let attributes = putAttributes(&batch.bytes)
        guard attributes <= 0xFFFF else {
            batch.bytes.removeLast(batch.bytes.count - start)
            throw RecordRefusal("it has \(attributes) attributes; 65,535 at most")
        }
        batch.bytes[countAt] = UInt8(truncatingIfNeeded: attributes)
        batch.bytes[countAt + 1] = UInt8(truncatingIfNeeded: attributes >> 8)
        Self.set32(batch.bytes.count - start - 4, at: start, &batch.bytes)
        batch.starts.append(start)
    }

    private func putAttributes(_ bytes: inout [UInt8]) -> Int {
        var attributes = 0
        var at = 0
        while at < order.count {
            let first = pieces[order[at]]
            attributes += 1
            bytes.append(UInt8(truncatingIfNeeded: first.nameEnd - first.nameStart))
            bytes.append(contentsOf: scratch[first.nameStart..<first.nameEnd])
            let lengthAt = bytes.count
            bytes.append(contentsOf: [0, 0, 0, 0, 0, 0, 0, 0])
            var values = 0
            var before: Piece?
            while at < order.count {
                let piece = pieces[order[at]]
                guard compare(first.nameStart..<first.nameEnd, piece.nameStart..<piece.nameEnd) == 0 else { break }
                at += 1
                if let before, compare(before.nameEnd..<before.valueEnd, piece.nameEnd..<piece.valueEnd) == 0 {
                    continue
                }
                before = piece
                values += 1
                Self.put32(piece.valueEnd - piece.nameEnd, &bytes)
                bytes.append(contentsOf: scratch[piece.nameEnd..<piece.valueEnd])
            }
            Self.set32(bytes.count - lengthAt - 4, at: lengthAt, &bytes)
            Self.set32(values, at: lengthAt + 4, &bytes)
        }
        return attributes
    }

    private mutating func sort() {
        order.removeAll(keepingCapacity: true)
        order.append(contentsOf: pieces.indices)
        // A source hands its attributes over in the same order each time: the sort of what is nearly sorted is cheap
        // only where few pieces are, so it is left out where nothing would move.
        var isSorted = true
        for at in pieces.indices.dropFirst() where comparePieces(at - 1, at) > 0 {
            isSorted = false
            break
        }
        guard !isSorted else { return }
        var sorted = order
        sorted.sort { comparePieces($0, $1) < 0 }
        order = sorted
    }

    @inline(__always)
    private func comparePieces(_ a: Int, _ b: Int) -> Int {
        let (left, right) = (pieces[a], pieces[b])
        let names = compare(left.nameStart..<left.nameEnd, right.nameStart..<right.nameEnd)
        if names != 0 { return names }
        return compare(left.nameEnd..<left.valueEnd, right.nameEnd..<right.valueEnd)
    }

    @inline(__always)
    private func compare(_ a: Range<Int>, _ b: Range<Int>) -> Int {
        scratch.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            let result = memcmp(base + a.lowerBound, base + b.lowerBound, min(a.count, b.count))
            return result != 0 ? Int(result) : a.count - b.count
        }
    }

    @inline(__always)
    private static func put16(_ value: Int, _ bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: value))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    }

    @inline(__always)
    private static func put32(_ value: Int, _ bytes: inout [UInt8]) {
        put16(value, &bytes)
        put16(value >> 16, &bytes)
    }

    @inline(__always)
    private static func set32(_ value: Int, at start: Int, _ bytes: inout [UInt8]) {
        for byte in 0..<4 { bytes[start + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }
}
