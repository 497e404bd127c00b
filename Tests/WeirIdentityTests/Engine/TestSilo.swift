import Synchronization
import WeirIdentity

/// A silo in memory that a test fills, breaks and looks into. It writes as a directory does: what is already so is said
/// to be.
final class TestSilo: SiloProvider {
    struct State {
        var objects: [ObjectKind: [String: SiloObject]] = [:]
        var written: [Change] = []
        var secrets: [[String: String]] = []
        var scanFailure: ScanFailure?
        /// Answers instead of writing, where it gives one.
        var refuses: @Sendable (Change) -> WriteAnswer? = { _ in nil }
        /// After the write, before its answer.
        var onWrite: @Sendable (Change) async -> Void = { _ in }
        /// Between two batches of a scan.
        var onScan: @Sendable () async -> Void = {}
        var next = 1
        var scope = ""
    }

    let state = Mutex(State())
    private let lists: Set<String>

    init(lists: Set<String> = []) { self.lists = lists }

    var abilities: SiloAbilities { SiloAbilities(delta: false, writes: true) }
    func scope(of kind: ObjectKind) -> String { state.withLock { $0.scope } }
    func schema(of kind: ObjectKind) async -> ObjectSchema { ObjectSchema(lists: lists) }

    func put(_ kind: ObjectKind, _ anchor: String, name: String? = nil, _ attributes: [String: [String]]) {
        state.withLock {
            $0.objects[kind, default: [:]][anchor] = SiloObject(
                kind: kind, anchor: anchor, name: name ?? anchor, attributes: attributes)
        }
    }

    func remove(_ kind: ObjectKind, _ anchor: String) { state.withLock { $0.objects[kind]?[anchor] = nil } }

    func objects(_ kind: ObjectKind) -> [SiloObject] {
        state.withLock { $0.objects[kind] ?? [:] }.values.sorted { $0.name < $1.name }
    }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    var secrets: [[String: String]] { state.withLock { $0.secrets } }
    var written: [Change] { state.withLock { $0.written } }

    func scan(_ request: ScanRequest, take: (RecordBatch) async throws -> Void) async throws(ScanFailure) -> ScanEnd {
        var batch = RecordBatch()
        do {
            for object in objects(request.kind) { try batch.append(object) }
            try await take(batch)
        } catch {
            throw ScanFailure(code: "test", text: "\(error)", isPassing: false)
        }
        await state.withLock { $0.onScan }()
        if let failure = state.withLock({ $0.scanFailure }) { throw failure }
        return ScanEnd()
    }

    func read(_ kind: ObjectKind, anchor: String?, name: String) async throws(ScanFailure) -> SiloObject? {
        if let failure = state.withLock({ $0.scanFailure }) { throw failure }
        return state.withLock { state in
            if let anchor, let object = state.objects[kind]?[anchor] { return object }
            return state.objects[kind]?.values.first { $0.name.lowercased() == name.lowercased() }
        }
    }

    func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        if let answer = state.withLock({ $0.refuses })(change) { return answer }
        let answer = state.withLock { state in
            state.written.append(change)
            state.secrets.append(secrets)
            return Self.apply(change, &state)
        }
        await state.withLock { $0.onWrite }(change)
        return answer
    }

    private static func apply(_ change: Change, _ state: inout State) -> WriteAnswer {
        let found = state.objects[change.target]?.values.first {
            $0.anchor == change.anchor || $0.name == change.name || $0.name == change.newName
        }
        switch change.operation {
        case .create:
            if found != nil { return .alreadySo(anchor: found?.anchor) }
            let anchor = "o\(state.next)"
            state.next += 1
            var object = SiloObject(kind: change.target, anchor: anchor, name: change.name, attributes: [:])
            set(change.edits, &object)
            state.objects[change.target, default: [:]][anchor] = object
            return .written(anchor: anchor)
        case .modify, .rename:
            guard var object = found else { return .refused(code: "no_such_object", text: "it is not there") }
            set(change.edits, &object)
            if let name = change.newName { object.name = name }
            if object == found { return .alreadySo(anchor: object.anchor) }
            state.objects[change.target]?[object.anchor] = object
            return .written(anchor: object.anchor)
        case .delete:
            guard let found else { return .alreadySo(anchor: nil) }
            state.objects[change.target]?[found.anchor] = nil
            return .written(anchor: found.anchor)
        case .event: return .refused(code: "event", text: "no silo")
        }
    }

    private static func set(_ edits: [Change.Edit], _ object: inout SiloObject) {
        for edit in edits {
            var values = edit.isReplaced ? [] : object.attributes[edit.attribute] ?? []
            values.removeAll { edit.removes.contains($0) }
            values += edit.adds.filter { !values.contains($0) }
            object.attributes[edit.attribute] = values.isEmpty ? nil : values.sorted()
        }
    }
}
