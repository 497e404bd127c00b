import NIOCore
import Synchronization
import WeirConnectors
import WeirWorld

/// A platform that keeps everything in memory, and can hold pushes back.
final class RecordingPlatform: ConnectorPlatform {
    struct Pushed: Sendable, Equatable {
        var head: BundleHead
        var work: WorkID?
        var text: String
        var deadline: Moment?
        var wasStreamed = false
    }

    struct State: Sendable {
        var records: [ConnectorRecord] = []
        var works: [Work] = []
        var pushed: [Pushed] = []
        var abandoned = 0
        var writes: [Int] = []
        var level: WorkQueueLevel? = WorkQueueLevel(messages: 0, bytes: 0)
        var failure: ConnectorFailure?
        var isHeld = false
        var held: [CheckedContinuation<Void, Never>] = []
        var resets: Set<ConnectorID> = []
    }

    let state = Mutex(State())
    let time: any TimeSource

    init(time: any TimeSource) { self.time = time }

    var pushed: [Pushed] { state.withLock { $0.pushed } }
    var heldCount: Int { state.withLock { $0.held.count } }

    func hold() { state.withLock { $0.isHeld = true } }

    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for waiting in held { waiting.resume() }
    }

    private func gate() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.isHeld else { return true }
                state.held.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func check() throws(ConnectorFailure) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func known(_ id: ConnectorID) throws(ConnectorFailure) {
        guard state.withLock({ $0.records.contains { $0.id == id } }) else {
            throw ConnectorFailure(.unknownConnector, "No connector found with the id \(id).")
        }
    }

    func register(_ registration: ConnectorRegistration) async throws(ConnectorFailure) -> ConnectorRecord {
        try check()
        return state.withLock { state in
            if let place = state.records.firstIndex(where: { $0.id == registration.id }) {
                state.records[place].registration = registration
                return state.records[place]
            }
            let record = ConnectorRecord(registration: registration, userID: "user-1", registeredAt: time.wall)
            state.records.append(record)
            return record
        }
    }

    func ping(
        _ id: ConnectorID, state sent: String?, report: ConnectorReport
    ) async throws(ConnectorFailure) -> ConnectorRecord? {
        state.withLock { state in
            guard let place = state.records.firstIndex(where: { $0.id == id }) else { return nil }
            if state.resets.remove(id) == nil { state.records[place].state = sent }
            state.records[place].report = report
            state.records[place].lastPing = time.wall
            return state.records[place]
        }
    }

    func connector(_ id: ConnectorID) async -> ConnectorRecord? {
        state.withLock { $0.records.first { $0.id == id } }
    }

    func connectors() async -> [ConnectorRecord] { state.withLock { $0.records } }
    func queueLevel(_ id: ConnectorID) async -> WorkQueueLevel? { state.withLock { $0.level } }

    func addWork(_ id: ConnectorID, name: String, isMultipart: Bool) async throws(ConnectorFailure) -> Work {
        try known(id)
        return state.withLock { state in
            let work = Work(id: "work_\(id)_\(state.works.count)", connector: id, name: name, startedAt: time.wall)
            state.works.append(work)
            return work
        }
    }

    private func change(_ id: WorkID, _ change: (inout Work) -> Void) throws(ConnectorFailure) {
        let isKnown = state.withLock { state in
            guard let place = state.works.firstIndex(where: { $0.id == id }) else { return false }
            change(&state.works[place])
            return true
        }
        if !isKnown { throw ConnectorFailure(.unknownWork, "The work \(id) does not exist.") }
    }

    func expect(_ work: WorkID, _ count: Int) async throws(ConnectorFailure) {
        try change(work) { $0.expected += count }
    }

    func received(_ work: WorkID, message: String?) async throws(ConnectorFailure) {
        try change(work) { $0.receivedAt = time.wall }
    }

    func processed(_ work: WorkID, message: String?, isError: Bool) async throws(ConnectorFailure) {
        try change(work) {
            $0.processedAt = time.wall
            $0.isInError = isError
            $0.messages.append(Work.Note(time: time.wall, text: message ?? ""))
        }
    }

    func work(_ id: WorkID) async -> Work? { state.withLock { $0.works.first { $0.id == id } } }

    func works(of id: ConnectorID?, most: Int) async -> [Work] {
        state.withLock { Array($0.works.reversed().filter { id == nil || $0.connector == id }.prefix(most)) }
    }

    func deleteWork(_ id: WorkID) async throws(ConnectorFailure) {
        state.withLock { $0.works.removeAll { $0.id == id } }
    }

    func push(_ bundle: BundlePush, deadline: Moment?) async throws(ConnectorFailure) {
        try check()
        try known(bundle.head.connector)
        await gate()
        let pushed = Pushed(
            head: bundle.head, work: bundle.head.work, text: String(buffer: bundle.bytes), deadline: deadline)
        state.withLock { $0.pushed.append(pushed) }
    }

    func beginPush(_ head: BundleHead, deadline: Moment?) async throws(ConnectorFailure) -> any BundleReception {
        try check()
        try known(head.connector)
        await gate()
        return Reception(platform: self, head: head, deadline: deadline)
    }

    func remove(_ id: ConnectorID) async throws(ConnectorFailure) {
        state.withLock { $0.records.removeAll { $0.id == id } }
    }

    func resetState(_ id: ConnectorID) async throws(ConnectorFailure) {
        try known(id)
        state.withLock { state in
            state.resets.insert(id)
            for place in state.records.indices where state.records[place].id == id { state.records[place].state = nil }
        }
    }

    final class Reception: BundleReception {
        let platform: RecordingPlatform
        let head: BundleHead
        let deadline: Moment?
        let bytes = Mutex(ByteBuffer())

        init(platform: RecordingPlatform, head: BundleHead, deadline: Moment?) {
            self.platform = platform
            self.head = head
            self.deadline = deadline
        }

        func write(_ bytes: ByteBuffer) async throws(ConnectorFailure) {
            platform.state.withLock { $0.writes.append(bytes.readableBytes) }
            _ = self.bytes.withLock { $0.writeImmutableBuffer(bytes) }
        }

        func finish(work: WorkID?) async throws(ConnectorFailure) {
            try platform.check()
            let text = bytes.withLock { String(buffer: $0) }
            let pushed = Pushed(
                head: head, work: work ?? head.work, text: text, deadline: deadline, wasStreamed: true)
            platform.state.withLock { $0.pushed.append(pushed) }
        }

        func abandon() async { platform.state.withLock { $0.abandoned += 1 } }
    }
}
