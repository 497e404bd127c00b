import WeirDirectory
package import WeirExpressions

/// All identities with their objects, in compact records: no class and no dictionary for each object, so that 1.5
/// million objects of 500,000 identities fit in some hundred megabytes. Filled once by its builder, then only read.
package final class IdentityGraph: @unchecked Sendable {
    // Nothing is written after the builder has handed it on; records point into `slab`, which lives as long as this.
    static let nothing = UInt32.max

    struct KindTable {
        var records: [AttributeRecord] = []
        /// The objects' rows in the store.
        var rows: [Int64] = []
        var sequences: [Int64] = []
        /// Whom they belong to, by number.
        var identities: [UInt32] = []
    }

    /// What else the store knows, beside the live objects.
    package struct Past {
        package var sequence: Int64 = 0
        /// Identities of objects that were deleted, and those that changed otherwise, with when.
        package var touched: [(sequence: Int64, identity: Int64)] = []
        package var merges: [(sequence: Int64, from: Int64, into: Int64)] = []

        package init() {}
    }

    package let language: IdentityLanguage
    private var ids: [Int64] = []
    private var slots: [UInt32] = []
    private(set) var tables: [KindTable] = []
    private var disputes: [Int: JoinDispute] = [:]
    private var slab = AttributeSlab()
    private var past = Past()
    private var aliases: [Int64: Int64] = [:]
    /// What objects were before they changed, by identity number × kinds + kind.
    private var before: [Int: AttributeRecord] = [:]
    private var names: [String] = []

    init(language: IdentityLanguage) { self.language = language }

    func fill(
        ids: [Int64], slots: [UInt32], tables: [KindTable], disputes: [Int: JoinDispute], slab: AttributeSlab
    ) {
        self.ids = ids
        self.slots = slots
        self.tables = tables
        self.disputes = disputes
        self.slab = slab
        names = language.names.all
    }

    package func setPast(_ past: Past) {
        self.past = past
        for merge in past.merges { aliases[merge.from] = merge.into }
    }

    func setBefore(_ record: AttributeRecord, identity: Int, _ place: Int) {
        before[identity * language.kinds.count + place] = record
    }

    /// Memory of the records and of the tables, in bytes.
    package var byteCount: Int {
        slab.byteCount + ids.count * 8 + slots.count * 4 + tables.reduce(0) { $0 + $1.records.count * 28 }
    }

    // MARK: Records

    @inline(__always)
    func record(of identity: Int, _ place: Int) -> AttributeRecord {
        let at = slots[identity * language.kinds.count + place]
        return at == Self.nothing ? .none : tables[place].records[Int(at)]
    }

    @inline(__always)
    func oldRecord(of identity: Int, _ place: Int) -> AttributeRecord {
        if before.isEmpty { return record(of: identity, place) }
        return before[identity * language.kinds.count + place] ?? record(of: identity, place)
    }

    private func object(_ record: AttributeRecord, _ kind: ObjectKind) -> SiloObject {
        var attributes: [String: [String]] = [:]
        record.forEachAttribute { number, found in
            if Int(number) < names.count { attributes[names[Int(number)]] = found.texts }
        }
        return SiloObject(
            kind: kind, anchor: String(decoding: record.anchor, as: UTF8.self),
            name: String(decoding: record.name, as: UTF8.self), attributes: attributes)
    }

    func number(_ id: Int64) -> Int? {
        var wanted = id
        // A merge of a merge leads on; a circle cannot be, since the younger always points at the older.
        for _ in 0..<64 {
            guard let next = aliases[wanted] else { break }
            wanted = next
        }
        var low = 0
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < ids.count && ids[low] == wanted ? low : nil
    }
}

extension IdentityGraph: IdentitySnapshot {
    package var count: Int { ids.count }
    package var sequence: Int64 { past.sequence }
    package func id(of identity: Int) -> String { String(ids[identity]) }
    package func identity(_ id: String) -> Int? { Int64(id).flatMap { number($0) } }
    package func dispute(of identity: Int) -> String? { disputes[identity]?.text }

    /// All identities that are left out, ascending.
    package var disputed: [(identity: Int, dispute: JoinDispute)] {
        disputes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    package func changed(since sequence: Int64) -> [Int] {
        var found: Set<Int> = []
        for table in tables {
            for (at, changed) in table.sequences.enumerated() where changed > sequence {
                found.insert(Int(table.identities[at]))
            }
        }
        for one in past.touched where one.sequence > sequence {
            if let number = number(one.identity) { found.insert(number) }
        }
        return found.sorted()
    }

    package func merges(since sequence: Int64) -> [IdentityMerge] {
        past.merges.filter { $0.sequence > sequence }.map {
            IdentityMerge(from: String($0.from), into: String($0.into))
        }
    }

    package func live(_ kind: ObjectKind) -> Int {
        language.place(of: kind).map { tables[$0].records.count } ?? 0
    }

    package func object(of identity: Int, _ kind: ObjectKind) -> SiloObject? {
        guard let place = language.place(of: kind) else { return nil }
        let record = record(of: identity, place)
        return record.isPresent ? object(record, kind) : nil
    }

    package func hasObject(_ identity: Int, _ kind: ObjectKind) -> Bool {
        language.place(of: kind).map { record(of: identity, $0).isPresent } ?? false
    }

    package func holds(
        _ identity: Int, _ kind: ObjectKind, _ attribute: String, exactly values: [String]
    ) -> Bool {
        guard let place = language.place(of: kind) else { return values.isEmpty }
        guard let found = record(of: identity, place).find(language.names.number(of: attribute)) else {
            return values.isEmpty
        }
        var at = 0
        var isSame = true
        found.forEachValue { bytes in
            if isSame, at < values.count {
                var value = values[at]
                isSame = value.withUTF8 { $0.count == bytes.count && $0.elementsEqual(bytes) }
            }
            at += 1
        }
        // Values are kept sorted by their bytes, those that are asked for perhaps by another order.
        if !isSame, at == values.count, at > 1 { return Set(found.texts) == Set(values) }
        return isSame && at == values.count
    }

    package func nameKey(_ name: String, _ kind: ObjectKind) -> String {
        name.utf8.contains(UInt8(ascii: "=")) ? DistinguishedName.key(of: name) : name.lowercased()
    }

    package func objects(of identity: Int) -> [SiloObject] {
        language.kinds.compactMap { object(of: identity, $0) }
    }

    package func objects(_ kind: ObjectKind) -> [SiloObject] {
        guard let place = language.place(of: kind) else { return [] }
        return tables[place].records.map { object($0, kind) }
    }

    package func isMulti(_ attribute: String, _ kind: ObjectKind) -> Bool {
        language.place(of: kind).map { language.schemas[$0].lists.contains(attribute) } ?? false
    }

    package func compile(
        _ source: String, extra: [String: CheckedType]
    ) throws(ExpressionProblem) -> any IdentityExpression {
        try language.compile(source, extra: extra)
    }
}
