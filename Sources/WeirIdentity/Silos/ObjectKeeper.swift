package import WeirStore
package import WeirWorld

/// One silo as it is configured: its provider, and how its scans are looked at.
package struct SiloPart: Sendable {
    package var name: String
    /// `csv`, `ldap`, `sql`, `scim`, `exec`, `memory`.
    package var type: String
    package var provider: any SiloProvider
    package var kinds: [ObjectKind]
    package var gate = InputGate()
    /// An object is taken for deleted when so many complete scans in a row did not have it. Default: 1.
    package var misses = 1

    package init(name: String, type: String, provider: any SiloProvider, kinds: [ObjectKind]) {
        self.name = name
        self.type = type
        self.provider = provider
        self.kinds = kinds
    }
}

/// Scans, the input gate, the object store and the graph behind one face.
package actor ObjectKeeper: SiloKeeper {
    package nonisolated let kinds: [ObjectKind]
    package nonisolated let store: ObjectStore
    package nonisolated let language: IdentityLanguage
    private nonisolated let parts: [SiloPart]
    private nonisolated let joins: [JoinRule]
    private nonisolated let world: World
    /// How long what an object was before a change is `old`. Default: 7 days.
    private nonisolated let memory: Duration
    private var latest: IdentityGraph?
    /// Scans of one kind come one after the other.
    private var scanning: Set<ObjectKind> = []
    private var waiting: [ObjectKind: [CheckedContinuation<Void, Never>]] = [:]

    /// - Throws: what the store says.
    package init(
        _ parts: [SiloPart], joins: [JoinRule], database: IdentityDatabase, world: World,
        memory: Duration = .seconds(7 * 86_400)
    ) async throws(StoreFailure) {
        self.parts = parts
        self.joins = joins
        self.world = world
        self.memory = memory
        kinds = parts.flatMap(\.kinds)
        var described: [(kind: ObjectKind, schema: ObjectSchema)] = []
        for part in parts {
            for kind in part.kinds { described.append((kind, await part.provider.schema(of: kind))) }
        }
        language = IdentityLanguage(described)
        store = try await ObjectStore.open(database, kinds: parts.flatMap(\.kinds), world: world)
    }

    private nonisolated func part(_ silo: String) -> SiloPart? { parts.first { $0.name == silo } }

    package nonisolated func provider(_ silo: String) -> (any SiloProvider)? { part(silo)?.provider }

    package func views() async -> [SiloView] {
        var views: [SiloView] = []
        for part in parts {
            var types: [SiloView.TypeView] = []
            var scans: [ScanView] = []
            for kind in part.kinds {
                types.append(SiloView.TypeView(type: kind.type, live: (try? await store.live(kind)) ?? 0))
                scans += (try? await store.scans(of: kind, most: 10)) ?? []
            }
            scans.sort { $0.began > $1.began }
            views.append(SiloView(name: part.name, provider: part.type, types: types, scans: scans))
        }
        return views
    }

    package func kindsWithoutPreview() async throws -> [ObjectKind] { try await store.kindsWithoutPreview() }

    package func notePreview(of kinds: [ObjectKind]) async throws { try await store.notePreview(of: kinds) }

    // MARK: Scans

    package func scan(_ kind: ObjectKind, isFull: Bool, id: String) async -> ScanView {
        await turn(kind)
        defer { pass(kind) }
        var view = ScanView(id: id, kind: kind, isFull: isFull, status: .running, began: world.time.wall)
        do throws(StoreFailure) {
            view = try await scanned(kind, view)
        } catch {
            view.status = .failed
            view.text = "the store does not take the scan: \(error)"
        }
        view.ended = world.time.wall
        if view.status != .quarantined { try? await store.put(view) }
        return view
    }

    private func turn(_ kind: ObjectKind) async {
        while scanning.contains(kind) {
            await withCheckedContinuation { waiting[kind, default: []].append($0) }
        }
        scanning.insert(kind)
    }

    private func pass(_ kind: ObjectKind) {
        scanning.remove(kind)
        for next in waiting.removeValue(forKey: kind) ?? [] { next.resume() }
    }

    private func scanned(_ kind: ObjectKind, _ view: ScanView) async throws(StoreFailure) -> ScanView {
        var view = view
        guard let part = part(kind.silo) else {
            view.status = .failed
            view.text = "there is no silo '\(kind.silo)'"
            return view
        }
        var mark: String?
        if !view.isFull, part.provider.abilities.delta { mark = try await store.mark(of: kind) }
        view.isFull = mark == nil
        let intake = ScanIntake(store, kind, scan: view.id, isFull: view.isFull)
        try await intake.begin()
        let end: ScanEnd
        do throws(ScanFailure) {
            end = try await part.provider.scan(ScanRequest(kind: kind, since: mark)) { batch in
                try await intake.take(batch)
            }
        } catch {
            try await intake.discard()
            view.status = .failed
            view.seen = await intake.seen
            view.text = "\(error.text) (\(error.code)); nothing is concluded from what was read"
            return view
        }
        return try await decide(part, intake, end, kind, view)
    }

    private func decide(
        _ part: SiloPart, _ intake: ScanIntake, _ end: ScanEnd, _ kind: ObjectKind, _ view: ScanView
    ) async throws(StoreFailure) -> ScanView {
        var view = view
        for row in end.refused { await intake.refuse(row) }
        var found = await intake.findings(gone: end.gone.count)
        if !view.isFull { found.live = try await store.live(kind) }
        view.seen = found.seen
        view.gone = found.gone
        view.refused = await intake.refused
        view.ended = world.time.wall
        let scope = part.provider.scope(of: kind)
        switch part.gate.verdict(found, of: kind) {
        case .complete:
            view.status = .complete
            return try await intake.apply(
                gone: end.gone, misses: part.misses, deletes: true, mark: end.mark, scope: scope, view: view)
        case .partial(let text):
            view.status = .partial
            view.text = text
            // The mark stays: what could not be read now is read again.
            return try await intake.apply(
                gone: [], misses: part.misses, deletes: false, mark: nil, scope: scope, view: view)
        case .quarantined(let reason, let text):
            view.status = .quarantined
            view.text = "\(reason.rawValue): \(text)"
            try await intake.quarantine(gone: end.gone, misses: part.misses, mark: end.mark, scope: scope, view: view)
            return view
        }
    }

    package func accept(scan id: String, by person: Person, reason: String) async throws(IdentityRefusal) {
        do {
            guard let view = try await store.scan(id) else {
                throw IdentityRefusal(.unknown, code: "no_such_scan", text: "there is no scan '\(id)'")
            }
            await turn(view.kind)
            defer { pass(view.kind) }
            guard try await store.accept(id) != nil else {
                throw IdentityRefusal(
                    .conflict, code: "scan_not_held",
                    text: "scan '\(id)' waits for nobody: it is \(view.status.rawValue)")
            }
        } catch let refusal as IdentityRefusal {
            throw refusal
        } catch {
            throw IdentityRefusal(.unavailable, code: "store", text: "\(error)")
        }
    }

    package func refresh(_ kind: ObjectKind, anchor: String, _ object: SiloObject?) async throws {
        try await store.refresh(kind, anchor: anchor, object)
    }

    // MARK: The graph

    package func sequence() async throws -> Int64 { try await store.sequence() }

    package func snapshot() async throws -> any IdentitySnapshot { try await graph() }

    /// The graph of what is kept now; the one before where nothing changed since.
    package func graph() async throws(GraphFailure) -> IdentityGraph {
        let sequence: Int64
        do throws(StoreFailure) { sequence = try await store.sequence() } catch { throw .store(error) }
        if let latest, latest.sequence == sequence { return latest }
        // The old one is let go first, so that there is never memory for two.
        latest = nil
        let oldest = world.time.wall + (.zero - memory)
        let made = try await store.loadGraph(language, joins: joins, oldest: oldest)
        latest = made
        return made
    }
}
