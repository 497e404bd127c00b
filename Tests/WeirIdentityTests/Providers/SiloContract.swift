import Testing
import WeirIdentity

/// What every provider promises, asked of a real one. A provider's test makes it over something empty that may be
/// written, names what its objects look like, and runs this.
struct SiloContract {
    let provider: any SiloProvider
    let kind: ObjectKind
    /// What the silo would call the n-th object: a DN, a user name, a key.
    var name: (Int) -> String = { "user\($0)" }
    /// What an object must have to be made, with the silo's own names.
    var attributes: (Int) -> [String: [String]]
    /// An attribute with one value that may be changed.
    let single: String
    /// One with several, where the silo has such.
    var list: String?
    /// How many objects it makes, at least 8.
    var many = 40
    /// Texts that have broken other programs.
    var awkward = ["O'Neil; DROP TABLE x--", "a,b;c=\"d\"", "*)(uid=*", "ÄöüßЖ漢字🙂", "back\\slash", " two  spaces "]

    private func change(
        _ operation: Change.Operation, _ number: Int, anchor: String?, _ edits: [Change.Edit]
    ) -> Change {
        Change(operation: operation, target: kind, anchor: anchor, name: name(number), edits: edits)
    }

    private func edit(_ attribute: String, _ values: [String], replaces: Bool = true) -> Change.Edit {
        Change.Edit(attribute: attribute, removes: [], adds: values, isReplaced: replaces)
    }

    func all(since: String? = nil) async throws -> ([SiloObject], ScanEnd) {
        var objects: [SiloObject] = []
        let (provider, kind) = (provider, kind)
        let end = try await provider.scan(ScanRequest(kind: kind, since: since)) { batch in
            for at in 0..<batch.count { objects.append(batch.object(at, kind: kind)) }
        }
        return (objects, end)
    }

    private func create(_ number: Int) async throws -> String {
        let made = change(.create, number, anchor: nil, attributes(number).map { edit($0.key, $0.value) })
        let answer = await provider.write(made, secrets: [:])
        guard case .written(let anchor?) = answer else {
            Issue.record("making object \(number) answered \(answer)")
            throw ContractBreach()
        }
        return anchor
    }

    struct ContractBreach: Error {}

    func run() async throws {
        let (before, start) = try await all()
        #expect(before.isEmpty && start.refused.isEmpty, "it begins empty")
        let anchor = try await create(1)
        try await creation(anchor)
        try await changes(anchor)
        if let list { try await lists(anchor, list) }
        try await deltas(start)
        try await deletion(anchor)
    }

    private func creation(_ anchor: String) async throws {
        let again = change(.create, 1, anchor: nil, attributes(1).map { edit($0.key, $0.value) })
        #expect(await provider.write(again, secrets: [:]) == .alreadySo(anchor: anchor), "made again, it is already so")
        let read = try await provider.read(kind, anchor: anchor, name: name(1))
        #expect(read?.anchor == anchor)
        for (attribute, values) in attributes(1) {
            #expect(read?.attributes[attribute] == values.sorted(), "\(attribute) is as it was written")
        }
        let (seen, end) = try await all()
        #expect(seen.map(\.anchor) == [anchor])
        #expect(end.refused.isEmpty)
        #expect(seen.first == read, "a scan and a read say the same")
        #expect(try await provider.read(kind, anchor: nil, name: name(999)) == nil, "what is not there is nil")
    }

    private func changes(_ anchor: String) async throws {
        for text in awkward + ["plain"] {
            let set = change(.modify, 1, anchor: anchor, [edit(single, [text])])
            #expect(await provider.write(set, secrets: [:]) == .written(anchor: anchor), "'\(text)' is written")
            #expect(await provider.write(set, secrets: [:]) == .alreadySo(anchor: anchor), "'\(text)' is already so")
            let read = try await provider.read(kind, anchor: anchor, name: name(1))
            #expect(read?.attributes[single] == [text])
        }
        let nobody = change(.modify, 998, anchor: nil, [edit(single, ["x"])])
        let answer = await provider.write(nobody, secrets: [:])
        guard case .refused = answer else {
            Issue.record("an object that is not there was changed: \(answer)")
            return
        }
    }

    private func lists(_ anchor: String, _ list: String) async throws {
        let add = change(.modify, 1, anchor: anchor, [edit(list, ["a@x", "b@x"], replaces: false)])
        #expect(await provider.write(add, secrets: [:]) == .written(anchor: anchor))
        #expect(await provider.write(add, secrets: [:]) == .alreadySo(anchor: anchor), "values that are there stay")
        #expect(try await provider.read(kind, anchor: anchor, name: name(1))?.attributes[list] == ["a@x", "b@x"])
        let swap = change(
            .modify, 1, anchor: anchor,
            [Change.Edit(attribute: list, removes: ["a@x", "z@x"], adds: ["c@x"], isReplaced: false)])
        #expect(await provider.write(swap, secrets: [:]) == .written(anchor: anchor), "what is not there is removed")
        #expect(try await provider.read(kind, anchor: anchor, name: name(1))?.attributes[list] == ["b@x", "c@x"])
    }

    /// Many objects, each seen once; then a delta that has what changed and nothing else.
    private func deltas(_ start: ScanEnd) async throws {
        var anchors: [String] = []
        for number in 2...many { anchors.append(try await create(number)) }
        let (seen, end) = try await all()
        #expect(seen.count == many)
        #expect(Set(seen.map(\.anchor)).count == many)
        guard provider.abilities.delta else {
            #expect(end.mark == nil)
            return
        }
        let mark = try #require(end.mark)
        let set = change(.modify, 5, anchor: anchors[3], [edit(single, ["delta"])])
        #expect(await provider.write(set, secrets: [:]) == .written(anchor: anchors[3]))
        let (changed, after) = try await all(since: mark)
        #expect(changed.contains { $0.anchor == anchors[3] && $0.attributes[single] == ["delta"] })
        #expect(after.mark != nil)
        guard provider.abilities.deltaDeletes else { return }
        let gone = change(.delete, 6, anchor: anchors[4], [])
        #expect(await provider.write(gone, secrets: [:]) == .written(anchor: anchors[4]))
        #expect(try await all(since: after.mark).1.gone.contains(anchors[4]))
    }

    private func deletion(_ anchor: String) async throws {
        let delete = change(.delete, 1, anchor: anchor, [])
        #expect(await provider.write(delete, secrets: [:]) == .written(anchor: anchor))
        guard case .alreadySo = await provider.write(delete, secrets: [:]) else {
            Issue.record("deleting what is gone is no failure")
            return
        }
        #expect(try await provider.read(kind, anchor: anchor, name: name(1)) == nil)
        #expect(try await !all().0.contains { $0.anchor == anchor })
    }
}
