package import WeirExpressions

/// Fills a graph object by object, then finds out who belongs together. What comes out is the graph, and what is to be
/// kept of it: which object belongs to which identity now.
///
/// A set of joined objects takes the oldest of the ids that its objects had: two that grow together become the older
/// one, and the younger id is kept as another name of it. Where a set falls apart, the part with the oldest object
/// keeps the id and the other gets a new one, which inherits what hung on the first.
package struct GraphBuilder {
    /// What changed against what is kept.
    package struct Outcome: Sendable {
        package var graph: IdentityGraph
        /// Rows of objects whose identity is another one now.
        /// `before` is nil for an object that is new.
        package var assignments: [(row: Int64, before: Int64?, identity: Int64)] = []
        package var created: [Int64] = []
        package var merged: [(from: Int64, into: Int64)] = []
        /// The new identity inherits from the one that it was part of.
        package var split: [(from: Int64, into: Int64)] = []

        var isUnchanged: Bool { assignments.isEmpty && created.isEmpty && merged.isEmpty }
    }

    private struct Key {
        var expression: Expression
        var group: UInt64
    }

    let language: IdentityLanguage
    private var keys: [[Key]]
    var tables: [IdentityGraph.KindTable]
    var identities: [[Int64]]
    private var writer: AttributeWriter
    let slab = AttributeSlab()
    private var numbers: [String: UInt16] = [:]
    /// The names of the record before, in order: the next record mostly has the same.
    private var lastNames: [(name: [UInt8], number: UInt16, isList: Bool)] = []
    private var lastKind = -1

    /// - Throws: a join key that cannot be read.
    package init(_ language: IdentityLanguage, joins: [JoinRule]) throws(ExpressionProblem) {
        self.language = language
        writer = AttributeWriter(slab)
        keys = Array(repeating: [], count: language.kinds.count)
        tables = language.kinds.map { _ in IdentityGraph.KindTable() }
        identities = Array(repeating: [], count: language.kinds.count)
        for join in joins {
            guard let place = language.place(of: join.kind) else { continue }
            let expression = try language.compileKey(join.key, of: place)
            keys[place].append(Key(expression: expression, group: StableHash.of(join.group)))
        }
    }

    /// - Parameters:
    ///   - row: the object's place in the store; ascending by age.
    ///   - identity: whom it belonged to when the last graph was made; 0 for nobody.
    package mutating func add(_ place: Int, row: Int64, sequence: Int64, identity: Int64, record: Record) {
        let written = write(place, record)
        tables[place].records.append(written)
        tables[place].rows.append(row)
        tables[place].sequences.append(sequence)
        identities[place].append(identity)
    }

    /// For small sets and tests.
    /// - Throws: `RecordRefusal` where the object is larger than a record may be.
    package mutating func add(
        _ object: SiloObject, row: Int64, sequence: Int64 = 1, identity: Int64 = 0
    ) throws(RecordRefusal) {
        guard let place = language.place(of: object.kind) else { return }
        var batch = RecordBatch()
        try batch.append(object)
        batch.withRecord(0) { add(place, row: row, sequence: sequence, identity: identity, record: $0) }
    }

    /// A record that somebody else keeps in a table: what the object was before.
    mutating func write(_ place: Int, _ record: Record) -> AttributeRecord {
        if place != lastKind {
            lastNames.removeAll(keepingCapacity: true)
            lastKind = place
        }
        writer.begin(anchor: record.anchor, name: record.name)
        var at = 0
        record.forEachAttribute { attribute in
            let known: (number: UInt16, isList: Bool)
            if at < lastNames.count, lastNames[at].name.count == attribute.name.count,
                attribute.name.elementsEqual(lastNames[at].name)
            {
                known = (lastNames[at].number, lastNames[at].isList)
            } else {
                let name = attribute.nameText
                let number = numbers[name] ?? language.names.number(of: name)
                numbers[name] = number
                known = (number, language.schemas[place].lists.contains(name))
                let entry = (Array(attribute.name), number, known.isList)
                if at < lastNames.count { lastNames[at] = entry } else { lastNames.append(entry) }
            }
            at += 1
            writer.attribute(known.number, isList: known.isList)
            attribute.forEachValue { writer.value($0) }
        }
        return writer.finish()
    }

    // MARK: Joining

    /// - Parameter nextIdentity: the first id that was never given out.
    package mutating func build(nextIdentity: Int64) -> Outcome {
        var offsets: [Int] = []
        var total = 0
        for table in tables {
            offsets.append(total)
            total += table.records.count
        }
        var disputes: [UInt32: JoinDispute] = [:]
        var sets = join(total, offsets, &disputes)
        separate(total, offsets, &sets, &disputes)
        return assign(total, offsets, &sets, disputes, nextIdentity)
    }

    private func join(_ total: Int, _ offsets: [Int], _ disputes: inout [UInt32: JoinDispute]) -> UnionFind {
        var table = JoinTable(expecting: total)
        for place in tables.indices where !keys[place].isEmpty {
            for (at, record) in tables[place].records.enumerated() {
                let object = UInt32(truncatingIfNeeded: offsets[place] + at)
                for key in keys[place] {
                    do throws(ExpressionFailure) {
                        let value = try withOne(record) { (records) throws(ExpressionFailure) in
                            try key.expression.evaluate(records)
                        }
                        add(value, key.group, object, place, &table)
                    } catch {
                        // No such attribute is no key; anything else might be one that nobody can read.
                        guard error.kind != .noSuchKey else { continue }
                        disputes[object] = JoinDispute(
                            key: "", text: "the join key of \(describe(place, at)) fails: \(error)",
                            objects: [describe(place, at)])
                    }
                }
            }
        }
        var sets = UnionFind(count: total)
        var shared: [UInt32: [UInt32]] = [:]
        for mention in table.mentions {
            if table.isDisputed(mention.key) {
                shared[mention.key, default: []].append(mention.object)
            } else if disputes[mention.object] == nil,
                disputes[table.first(of: mention.key)] == nil
            {
                sets.join(mention.object, table.first(of: mention.key))
            }
        }
        for (key, objects) in shared {
            let names = objects.prefix(10).map { describe($0, offsets) }
            let text = table.text(of: key)
            let dispute = JoinDispute(
                key: text,
                text: "the key '\(text)' belongs to \(objects.count) objects, among them more than one of a kind "
                    + "(\(names.joined(separator: ", "))): correct all but one",
                objects: names)
            for object in objects { disputes[object] = dispute }
        }
        return sets
    }

    private func add(_ value: Value, _ group: UInt64, _ object: UInt32, _ place: Int, _ table: inout JoinTable) {
        switch value {
        case .string(var text):
            text.withUTF8 { table.add(UnsafeRawBufferPointer($0), group: group, object: object, kind: place) }
        case .int(let number): add(.string(String(number)), group, object, place, &table)
        case .uint(let number): add(.string(String(number)), group, object, place, &table)
        case .optional(let inner?): add(inner, group, object, place, &table)
        case .list(let values): for value in values { add(value, group, object, place, &table) }
        default: break
        }
    }

    private func withOne<R, E: Error>(
        _ record: AttributeRecord, _ body: (UnsafeBufferPointer<AttributeRecord>) throws(E) -> R
    ) throws(E) -> R {
        let result: Result<R, E> = withUnsafePointer(to: record) { one in
            do throws(E) {
                return .success(try body(UnsafeBufferPointer(start: one, count: 1)))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Sets that contain a disputed object, or two of one kind by way of different keys, fall apart: each of their
    /// objects is an identity of its own, and all of them are left out.
    private func separate(
        _ total: Int, _ offsets: [Int], _ sets: inout UnionFind, _ disputes: inout [UInt32: JoinDispute]
    ) {
        var seen: [UInt64] = Array(repeating: 0, count: total)
        var broken: [UInt32: JoinDispute] = [:]
        for place in tables.indices {
            let bit = UInt64(1) << UInt64(place & 63)
            for at in tables[place].records.indices {
                let object = UInt32(truncatingIfNeeded: offsets[place] + at)
                let root = sets.root(object)
                if let dispute = disputes[object] { broken[root] = broken[root] ?? dispute }
                if seen[Int(root)] & bit != 0, broken[root] == nil {
                    broken[root] = JoinDispute(
                        key: "",
                        text: "\(describe(place, at)) and another object of \(language.kinds[place]) are joined to one "
                            + "identity by different keys: correct one of them",
                        objects: [describe(place, at)])
                }
                seen[Int(root)] |= bit
            }
        }
        guard !broken.isEmpty else { return }
        var whole = UnionFind(count: total)
        for object in 0..<UInt32(truncatingIfNeeded: total) {
            let root = sets.root(object)
            if let dispute = broken[root] {
                disputes[object] = disputes[object] ?? dispute
            } else {
                whole.join(object, root)
            }
        }
        sets = whole
    }

    private func describe(_ place: Int, _ at: Int) -> String {
        "\(language.kinds[place]) \(String(decoding: tables[place].records[at].name, as: UTF8.self))"
    }

    private func describe(_ object: UInt32, _ offsets: [Int]) -> String {
        var place = offsets.count - 1
        while place > 0, offsets[place] > Int(object) { place -= 1 }
        return describe(place, Int(object) - offsets[place])
    }
}
