import Synchronization

/// A silo in memory, for tests, trials and benchmarks: it does what it is told, and fails as it is told.
package final class MemorySilo: SiloProvider {
    /// What goes wrong, for tests.
    package struct Faults: Sendable {
        /// Nothing can be read.
        package var failsToScan: ScanFailure?
        /// A scan ends with this failure after so many objects.
        package var diesAfter: Int?
        /// A scan leaves so many objects out and says nothing about it.
        package var hides = 0
        /// Rows that a scan says it could not read.
        package var refuses: [RefusedRow] = []
        /// Every write is answered with this and not done.
        package var answersWrites: WriteAnswer?
        /// Writes are done, and their answer is lost.
        package var losesAnswers = false
        /// Writes are said to be done, and are not.
        package var lies = false
        /// Waited for before each batch and each write.
        package var wait: (@Sendable () async -> Void)?

        package init() {}
    }

    private struct State {
        var objects: [ObjectKind: [String: SiloObject]] = [:]
        /// When each anchor was last changed or deleted.
        var changes: [ObjectKind: [String: Int]] = [:]
        var clock = 0
        var faults = Faults()
        var writes: [Change] = []
        var schemas: [ObjectKind: ObjectSchema] = [:]
        var scope = ""
    }

    private let state = Mutex(State())
    private let kinds: [ObjectKind]
    package let abilities: SiloAbilities

    package init(_ kinds: [ObjectKind], delta: Bool = true, writes: Bool = true) {
        self.kinds = kinds
        abilities = SiloAbilities(delta: delta, deltaDeletes: true, writes: writes)
    }

    // MARK: What tests say

    package func put(_ object: SiloObject) {
        state.withLock { state in
            state.clock += 1
            var object = object
            object.attributes = Self.clean(object.attributes)
            state.objects[object.kind, default: [:]][object.anchor] = object
            state.changes[object.kind, default: [:]][object.anchor] = state.clock
        }
    }

    package func remove(_ kind: ObjectKind, anchor: String) {
        state.withLock { state in
            guard state.objects[kind]?.removeValue(forKey: anchor) != nil else { return }
            state.clock += 1
            state.changes[kind, default: [:]][anchor] = state.clock
        }
    }

    package func object(_ kind: ObjectKind, anchor: String) -> SiloObject? {
        state.withLock { $0.objects[kind]?[anchor] }
    }

    /// By anchor.
    package func objects(_ kind: ObjectKind) -> [SiloObject] {
        state.withLock { ($0.objects[kind] ?? [:]).values.sorted { $0.anchor < $1.anchor } }
    }

    /// What was asked to be written, in order, done or not.
    package var writes: [Change] { state.withLock { $0.writes } }

    package func set(_ faults: Faults) { state.withLock { $0.faults = faults } }
    package func set(_ schema: ObjectSchema, of kind: ObjectKind) { state.withLock { $0.schemas[kind] = schema } }
    package func set(scope: String) { state.withLock { $0.scope = scope } }

    private static func clean(_ attributes: [String: [String]]) -> [String: [String]] {
        var clean: [String: [String]] = [:]
        for (name, values) in attributes where !values.isEmpty { clean[name.lowercased()] = Set(values).sorted() }
        return clean
    }

    // MARK: SiloProvider

    package func schema(of kind: ObjectKind) async -> ObjectSchema {
        state.withLock { $0.schemas[kind] ?? ObjectSchema() }
    }

    package func scope(of kind: ObjectKind) -> String { state.withLock { $0.scope } }

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        let (all, gone, clock, faults) = state.withLock { state -> ([SiloObject], [String], Int, Faults) in
            let objects = state.objects[request.kind] ?? [:]
            var chosen = Array(objects.values)
            var gone: [String] = []
            if let since = request.since.flatMap({ Int($0) }) {
                let changed = (state.changes[request.kind] ?? [:]).filter { $0.value > since }
                chosen = changed.keys.compactMap { objects[$0] }
                gone = changed.keys.filter { objects[$0] == nil }.sorted()
            }
            return (chosen.sorted { $0.anchor < $1.anchor }, gone, state.clock, state.faults)
        }
        if let failure = faults.failsToScan { throw failure }
        var batch = RecordBatch()
        for (at, object) in all.dropLast(faults.hides).enumerated() {
            if let most = faults.diesAfter, at >= most {
                throw ScanFailure(code: "connection_closed", text: "the silo went away in the middle", isPassing: true)
            }
            do throws(RecordRefusal) {
                try batch.append(object)
            } catch {
                throw ScanFailure(code: "too_large", text: "\(object.anchor): \(error.reason)", isPassing: false)
            }
            if batch.bytes.count >= RecordBatch.bytesWanted {
                await faults.wait?()
                try await hand(over: batch, take)
                batch.removeAll()
            }
        }
        if !batch.isEmpty {
            await faults.wait?()
            try await hand(over: batch, take)
        }
        return ScanEnd(mark: String(clock), gone: gone, refused: faults.refuses)
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        let (found, failure) = state.withLock { state -> (SiloObject?, ScanFailure?) in
            let objects = state.objects[kind] ?? [:]
            let found = anchor.map { objects[$0] } ?? objects.values.first { $0.name == name }
            return (found, state.faults.failsToScan)
        }
        if let failure { throw failure }
        return found
    }

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        await state.withLock { $0.faults.wait }?()
        return state.withLock { state in
            state.writes.append(change)
            if let answer = state.faults.answersWrites { return answer }
            if state.faults.lies { return .written(anchor: change.anchor ?? change.name) }
            let answer = Self.carryOut(change, secrets, &state)
            return state.faults.losesAnswers ? .unknown(code: "timeout", text: "the answer did not come") : answer
        }
    }

    private static func carryOut(
        _ change: Change, _ secrets: [String: String], _ state: inout State
    ) -> WriteAnswer {
        let kind = change.target
        let objects = state.objects[kind] ?? [:]
        let found = change.anchor.map { objects[$0] } ?? objects.values.first { $0.name == change.name }
        state.clock += 1
        switch change.operation {
        case .create:
            let made = SiloObject(
                kind: kind, anchor: "m-\(state.clock)", name: change.name,
                attributes: ChangeEffect.attributes(after: change, of: [:], secrets: secrets))
            if let found {
                return found.attributes == made.attributes
                    ? .alreadySo(anchor: found.anchor)
                    : .refused(code: "exists", text: "'\(change.name)' is there and is another one")
            }
            state.objects[kind, default: [:]][made.anchor] = made
            state.changes[kind, default: [:]][made.anchor] = state.clock
            return .written(anchor: made.anchor)
        case .modify, .rename:
            guard var object = found else { return .refused(code: "no_such_object", text: "'\(change.name)' is gone") }
            let before = object
            object.attributes = ChangeEffect.attributes(after: change, of: object.attributes, secrets: secrets)
            if let name = change.newName { object.name = name }
            guard object != before else { return .alreadySo(anchor: object.anchor) }
            state.objects[kind, default: [:]][object.anchor] = object
            state.changes[kind, default: [:]][object.anchor] = state.clock
            return .written(anchor: object.anchor)
        case .delete:
            guard let object = found else { return .alreadySo(anchor: change.anchor) }
            state.objects[kind]?.removeValue(forKey: object.anchor)
            state.changes[kind, default: [:]][object.anchor] = state.clock
            return .written(anchor: object.anchor)
        case .event: return .refused(code: "not_supported", text: "a silo takes no events")
        }
    }
}
