import WeirExpressions

extension GraphBuilder {
    /// Gives every set its persistent id.
    mutating func assign(
        _ total: Int, _ offsets: [Int], _ sets: inout UnionFind, _ reasons: [UInt32: JoinDispute],
        _ nextIdentity: Int64
    ) -> Outcome {
        var roots = [UInt32](repeating: 0, count: total)
        for object in 0..<total { roots[object] = sets.root(UInt32(truncatingIfNeeded: object)) }

        // Who may keep an id: the set with the oldest object that had it.
        var owners: [Int64: (row: Int64, root: UInt32)] = [:]
        forEachObject(offsets) { object, place, at in
            let identity = identities[place][at]
            guard identity > 0 else { return }
            let row = tables[place].rows[at]
            if let owner = owners[identity], owner.row <= row { return }
            owners[identity] = (row, roots[object])
        }
        // The oldest id of those that a set may keep.
        var ids = [Int64](repeating: 0, count: total)
        for (identity, owner) in owners {
            let root = Int(owner.root)
            if ids[root] == 0 || identity < ids[root] { ids[root] = identity }
        }
        var outcome = Outcome(graph: IdentityGraph(language: language))
        for (identity, owner) in owners where ids[Int(owner.root)] != identity {
            outcome.merged.append((identity, ids[Int(owner.root)]))
        }
        outcome.merged.sort { $0.from < $1.from }
        var next = nextIdentity
        forEachObject(offsets) { object, place, at in
            let root = Int(roots[object])
            if ids[root] == 0 {
                ids[root] = next
                outcome.created.append(next)
                next += 1
                if identities[place][at] > 0 { outcome.split.append((identities[place][at], ids[root])) }
            }
            if identities[place][at] != ids[root] {
                let before = identities[place][at]
                outcome.assignments.append((tables[place].rows[at], before > 0 ? before : nil, ids[root]))
            }
        }
        fill(outcome.graph, ids, roots, offsets, reasons)
        return outcome
    }

    private func forEachObject(_ offsets: [Int], _ body: (Int, Int, Int) -> Void) {
        for place in tables.indices {
            for at in tables[place].records.indices { body(offsets[place] + at, place, at) }
        }
    }

    private mutating func fill(
        _ graph: IdentityGraph, _ ids: [Int64], _ roots: [UInt32], _ offsets: [Int], _ reasons: [UInt32: JoinDispute]
    ) {
        let sorted = ids.enumerated().filter { $0.element > 0 }.map { (id: $0.element, root: $0.offset) }
            .sorted { $0.id < $1.id }
        var numbers = [UInt32](repeating: 0, count: ids.count)
        var kept: [Int64] = []
        kept.reserveCapacity(sorted.count)
        for (number, entry) in sorted.enumerated() {
            numbers[entry.root] = UInt32(truncatingIfNeeded: number)
            kept.append(entry.id)
        }
        let count = tables.count
        var slots = [UInt32](repeating: IdentityGraph.nothing, count: sorted.count * count)
        for place in tables.indices {
            tables[place].identities.reserveCapacity(tables[place].records.count)
            for at in tables[place].records.indices {
                let number = numbers[Int(roots[offsets[place] + at])]
                tables[place].identities.append(number)
                slots[Int(number) * count + place] = UInt32(truncatingIfNeeded: at)
            }
        }
        var disputes: [Int: JoinDispute] = [:]
        for (object, dispute) in reasons { disputes[Int(numbers[Int(roots[Int(object)])])] = dispute }
        graph.fill(ids: kept, slots: slots, tables: tables, disputes: disputes, slab: slab)
        tables = []
    }
}
