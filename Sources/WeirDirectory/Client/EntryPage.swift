/// Entries as they came: one run of bytes and where what is in it. No value is copied twice or made into a `String`
/// before somebody asks for it; 100,000 entries are some ten arrays.
package struct EntryPage: Sendable {
    struct Span: Sendable {
        var start: UInt32
        var count: UInt32
    }

    struct Place: Sendable {
        var name: Span
        /// The first value (of an attribute) or attribute (of an entry), and how many.
        var first: UInt32
        var count: UInt32
    }

    var bytes: [UInt8] = []
    var entries: [Place] = []
    var attributes: [Place] = []
    var values: [Span] = []

    package init() {}

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }
    package var byteCount: Int { bytes.count }

    package subscript(_ index: Int) -> Entry { Entry(page: self, place: entries[index]) }

    package var first: Entry? { entries.first.map { Entry(page: self, place: $0) } }

    package func forEach(_ body: (Entry) throws -> Void) rethrows {
        for place in entries { try body(Entry(page: self, place: place)) }
    }

    package struct Entry: Sendable {
        let page: EntryPage
        let place: Place

        package var name: String { page.text(place.name) }
        package var nameBytes: ArraySlice<UInt8> { page.slice(place.name) }
        package var attributeCount: Int { Int(place.count) }

        /// In the order of the server.
        package func attribute(_ index: Int) -> Attribute {
            Attribute(page: page, place: page.attributes[Int(place.first) + index])
        }

        /// - Parameter name: without regard to case, with its options.
        package func attribute(_ name: String) -> Attribute? {
            for index in 0..<attributeCount where attribute(index).isNamed(name) { return attribute(index) }
            return nil
        }

        /// The first value as text.
        package func text(_ name: String) -> String? {
            guard let found = attribute(name), found.count > 0 else { return nil }
            return found.text(0)
        }

        package func texts(_ name: String) -> [String] {
            guard let found = attribute(name) else { return [] }
            return (0..<found.count).map(found.text)
        }

        package func first(_ name: String) -> ArraySlice<UInt8>? {
            guard let found = attribute(name), found.count > 0 else { return nil }
            return found.value(0)
        }
    }

    package struct Attribute: Sendable {
        let page: EntryPage
        let place: Place

        package var name: String { page.text(place.name) }
        package var nameBytes: ArraySlice<UInt8> { page.slice(place.name) }
        package var count: Int { Int(place.count) }

        package func value(_ index: Int) -> ArraySlice<UInt8> { page.slice(page.values[Int(place.first) + index]) }

        /// Bytes that are no UTF-8 become replacement characters.
        package func text(_ index: Int) -> String { String(decoding: value(index), as: UTF8.self) }

        package func isNamed(_ name: String) -> Bool {
            let own = nameBytes
            let other = name.utf8
            guard own.count == other.count else { return false }
            return zip(own, other).allSatisfy { EntryPage.lower($0) == EntryPage.lower($1) }
        }
    }

    func slice(_ span: Span) -> ArraySlice<UInt8> { bytes[Int(span.start)..<Int(span.start) + Int(span.count)] }

    func text(_ span: Span) -> String { String(decoding: slice(span), as: UTF8.self) }

    static func lower(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte + 32 : byte }

    // MARK: filling

    mutating func beginEntry(_ name: UnsafeRawBufferPointer) {
        entries.append(Place(name: put(name), first: UInt32(attributes.count), count: 0))
    }

    mutating func beginAttribute(_ name: UnsafeRawBufferPointer) {
        attributes.append(Place(name: put(name), first: UInt32(values.count), count: 0))
        entries[entries.count - 1].count += 1
    }

    mutating func addValue(_ value: UnsafeRawBufferPointer) {
        values.append(put(value))
        attributes[attributes.count - 1].count += 1
    }

    mutating func append(_ entry: Entry) {
        entry.nameBytes.withUnsafeBytes { beginEntry($0) }
        for place in 0..<entry.attributeCount { append(entry.attribute(place)) }
    }

    mutating func append(_ attribute: Attribute) {
        attribute.nameBytes.withUnsafeBytes { beginAttribute($0) }
        appendValues(attribute)
    }

    /// To the attribute that was begun last.
    mutating func appendValues(_ attribute: Attribute) {
        for place in 0..<attribute.count { attribute.value(place).withUnsafeBytes { addValue($0) } }
    }

    private mutating func put(_ raw: UnsafeRawBufferPointer) -> Span {
        let span = Span(start: UInt32(bytes.count), count: UInt32(raw.count))
        bytes.append(contentsOf: raw)
        return span
    }
}
