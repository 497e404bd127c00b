import NIOCore
import Synchronization
import WeirGates
import WeirWorld

@testable import WeirNode

/// Connectors that are what a test says they are.
final class FakeConnectors: ConnectorAccess {
    let statuses: [ConnectorStatus]
    private let given = Mutex<[String]>([])
    private let works: [WorkStatus]

    let indexProgress: ConnectorIndexProgress?
    /// What is answered at `/graphql` to this body; without it, the door is closed.
    typealias Door = @Sendable (String) async -> String
    private let door: Door?

    init(
        _ statuses: [ConnectorStatus], works: [WorkStatus] = [], indexProgress: ConnectorIndexProgress? = nil,
        door: Door? = nil
    ) {
        self.statuses = statuses
        self.indexProgress = indexProgress
        self.works = works
        self.door = door
    }

    /// What was ordered: `reset kev by console: wrong year`.
    var orders: [String] { given.withLock { $0 } }

    func index() async -> ConnectorIndex { ConnectorIndex(statuses) }

    func statuses(of ids: [String]) -> [ConnectorStatus] { ids.compactMap { id in statuses.first { $0.id == id } } }

    func works(of id: String, most: Int) async -> [WorkStatus] { works }

    func audit(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [ConnectorAudit] {
        [ConnectorAudit(at: FakeTime.start, who: "anna (api)", action: "pause", why: "the feed is broken")]
    }

    func give(
        _ order: ConnectorOrder, to id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) {
        given.withLock { $0.append("\(order.rawValue) \(id) by \(who): \(why)") }
    }

    static let letter = LetterStatus(
        id: 4_096, at: FakeTime.start, reason: Reason("invalid_json", "The bundle is no JSON."), attempts: 1,
        work: "work_1", bytes: 9, content: ByteBuffer(string: "no bundle"), isWhole: true, canReplay: true)

    func deadLetters(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [LetterStatus] { [Self.letter] }

    func deadLetter(_ letter: UInt64, of id: String) async throws(ConnectorOrderFailure) -> LetterStatus {
        guard letter == Self.letter.id else { throw ConnectorOrderFailure(.unknownLetter, "There is no such letter.") }
        return Self.letter
    }

    func handle(
        _ deed: LetterDeed, _ letter: UInt64?, of id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) -> Int {
        given.withLock { $0.append("\(deed.rawValue) \(letter.map(String.init) ?? "all") of \(id) by \(who): \(why)") }
        return 1
    }

    var openCTIConnectionsMost: Int? { door == nil ? nil : 10 }

    func answerOpenCTI(
        method: String, header: @Sendable (String) -> String?,
        body: some AsyncSequence<ByteBuffer, any Error> & Sendable
    ) async -> OpenCTIAnswer {
        var whole = ByteBuffer()
        do {
            for try await piece in body { whole.writeImmutableBuffer(piece) }
        } catch {
            return OpenCTIAnswer(status: 400, headers: [], body: ByteBuffer())
        }
        let answer = await door?(String(buffer: whole)) ?? ""
        return OpenCTIAnswer(
            status: 200, headers: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
            body: ByteBuffer(string: answer))
    }

    func stopTaking() {}
}

extension ConnectorStatus {
    /// Of one that Weir runs, open, with nothing in its queue; `change` says what is different.
    static func sample(_ id: String, _ change: (inout ConnectorStatus) -> Void = { _ in }) -> ConnectorStatus {
        var status = ConnectorStatus(
            id: id, name: id, origin: "http", type: "EXTERNAL_IMPORT", registeredAt: FakeTime.start,
            activity: "waiting",
            queueBytes: 0, queueBundles: 0, threshold: 8_000_000, hardLimit: 16_000_000)
        status.canRunNow = true
        status.gate = GateReading(
            id: GateKind.connectorPrefix + id, kind: .connector, state: .open, reason: Reason("open", "All passes."),
            since: FakeTime.start, level: 0, limit: Limit(8_000_000, .bytes, origin: "weir.yaml:7"),
            reopens: "it is open", senders: [id], receiver: "routes")
        change(&status)
        return status
    }

    /// One of each kind that a page must be able to show.
    static var samples: [ConnectorStatus] {
        [
            .sample("kev") {
                $0.lastRun = .at(FakeTime.start)
                $0.nextRun = .at(FakeTime.start + .seconds(18_000))
            },
            .sample("full") {
                $0.queueBytes = 9_900_000
                $0.isBuffering = true
                $0.activity = "buffering"
                $0.troubles = [Trouble("queue_threshold", "The run waits.")]
            },
            .sample("outside") {
                $0.origin = "opencti"
                $0.activity = "outside"
                $0.canRunNow = false
                $0.lastPing = FakeTime.start + .seconds(-600)
                $0.lastRun = .fromState(FakeTime.start)
                $0.nextRun = .externalSchedule
                $0.state = #"{"last_run": 1763735400}"#
                $0.troubles = [Trouble("stale_ping", "Its process has not pinged.")]
            },
            .sample("Broken") {
                $0.activity = "failed"
                $0.failures = 3
                $0.troubles = [Trouble("http_503", "The source answered 503.")]
            },
            .sample("blind") {
                $0.queueBytes = nil
                $0.activity = "buffering"
                $0.isBuffering = true
                $0.gate?.state = .unknown
            },
        ]
    }
}

extension FakeNode {
    static func withConnectors(_ statuses: [ConnectorStatus] = ConnectorStatus.samples) -> FakeNode {
        let node = FakeNode(connectors: FakeConnectors(statuses))
        for status in statuses { if let gate = status.gate { node.publish(gate) } }
        return node
    }
}
