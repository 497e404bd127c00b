#if canImport(Glibc)
    import Glibc
#endif

/// One record in place (see `RecordBatch` for its layout). It borrows the bytes: keep it no longer than they live.
/// Nothing is allocated unless a `String` is asked for.
package struct Record {
    /// Without the length before it.
    package let bytes: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always)
    private func length16(_ at: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self)) }

    @inline(__always)
    private func length32(_ at: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }

    package var anchor: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[2..<(2 + length16(0))])
    }

    package var name: UnsafeRawBufferPointer {
        let start = 2 + length16(0)
        return UnsafeRawBufferPointer(rebasing: bytes[(start + 2)..<(start + 2 + length16(start))])
    }

    package var anchorText: String { String(decoding: anchor, as: UTF8.self) }
    package var nameText: String { String(decoding: name, as: UTF8.self) }

    private var attributesStart: Int {
        let start = 2 + length16(0)
        return start + 2 + length16(start)
    }

    package var attributeCount: Int { length16(attributesStart) }

    /// One attribute of a record.
    package struct Attribute {
        package let name: UnsafeRawBufferPointer
        package let count: Int
        /// Values one behind the other, each after its length of four bytes.
        let values: UnsafeRawBufferPointer

        package var nameText: String { String(decoding: name, as: UTF8.self) }

        package func forEachValue(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
            var at = 0
            for _ in 0..<count {
                let length = Int(values.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                try body(UnsafeRawBufferPointer(rebasing: values[(at + 4)..<(at + 4 + length)]))
                at += 4 + length
            }
        }

        package var texts: [String] {
            var result: [String] = []
            result.reserveCapacity(count)
            forEachValue { result.append(String(decoding: $0, as: UTF8.self)) }
            return result
        }
    }

    /// By name.
    package func forEachAttribute(_ body: (Attribute) throws -> Void) rethrows {
        var at = attributesStart
        let count = length16(at)
        at += 2
        for _ in 0..<count { try body(attribute(&at)) }
    }

    @inline(__always)
    private func attribute(_ at: inout Int) -> Attribute {
        let nameLength = Int(bytes[at])
        let name = UnsafeRawBufferPointer(rebasing: bytes[(at + 1)..<(at + 1 + nameLength)])
        at += 1 + nameLength
        let length = length32(at)
        let count = length32(at + 4)
        let values = UnsafeRawBufferPointer(rebasing: bytes[(at + 8)..<(at + 4 + length)])
        at += 4 + length
        return Attribute(name: name, count: count, values: values)
    }

    /// - Parameter name: in lower case.
    package func attribute(_ name: String) -> Attribute? {
        var name = name
        return name.withUTF8 { wanted in
            var at = attributesStart
            let count = length16(at)
            at += 2
            for _ in 0..<count {
                let found = attribute(&at)
                if found.name.count == wanted.count, found.name.elementsEqual(wanted) { return found }
            }
            return nil
        }
    }

    package func values(_ name: String) -> [String] { attribute(name)?.texts ?? [] }

    package func object(kind: ObjectKind) -> SiloObject {
        var attributes: [String: [String]] = [:]
        forEachAttribute { attributes[$0.nameText] = $0.texts }
        return SiloObject(kind: kind, anchor: anchorText, name: nameText, attributes: attributes)
    }

    /// 64 bits over all of it: equal objects have equal hashes, in every process and on every day.
    package var hash: UInt64 { StableHash.of(bytes) }

    package func isEqual(to other: Record) -> Bool {
        guard bytes.count == other.bytes.count else { return false }
        guard let left = bytes.baseAddress, let right = other.bytes.baseAddress else { return true }
        return memcmp(left, right, bytes.count) == 0
    }

    /// Whether these bytes are one record in the format: for what was read from a file.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        func number(_ size: Int) -> Int? {
            guard bytes.count - at >= size else { return nil }
            defer { at += size }
            return size == 2
                ? Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
                : size == 1
                    ? Int(bytes[at]) : Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        }
        func skip(_ count: Int) -> Bool {
            guard bytes.count - at >= count else { return false }
            at += count
            return true
        }
        guard let anchor = number(2), skip(anchor), let name = number(2), skip(name), let attributes = number(2) else {
            return false
        }
        for _ in 0..<attributes {
            guard let name = number(1), skip(name), let length = number(4) else { return false }
            let end = at + length
            guard end <= bytes.count, let values = number(4) else { return false }
            for _ in 0..<values {
                guard let length = number(4), skip(length) else { return false }
            }
            guard at == end else { return false }
        }
        return at == bytes.count
    }
}
