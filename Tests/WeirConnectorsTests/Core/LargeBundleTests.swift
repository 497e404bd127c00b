import Foundation
import NIOCore
import Synchronization
import Testing
import WeirConnectors
import WeirFlow
import WeirStore
import WeirTestKit
import WeirWorld

/// Counts events and lets them go.
private final class CountingIntake: Intake {
    let name = "counting"
    private let counts = Mutex((events: 0, bytes: 0))

    var events: Int { counts.withLock { $0.events } }

    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        counts.withLock {
            $0.events += batch.count
            $0.bytes += batch.byteCount
        }
        return .kept
    }
}

@Suite("Large bundles", .timeLimit(.minutes(5)), .serialized)
struct LargeBundleTests {
    // Each in a process of its own, in which nothing else runs: what it takes at its peak is then only this.
    @Test("go through with less than 64 MB, as a bundle")
    func bundle() async {
        await #expect(processExitsWith: .success) { try await LargeBundleTests.push(asMessage: false) }
    }

    @Test("go through with less than 64 MB, as a message")
    func message() async {
        await #expect(processExitsWith: .success) { try await LargeBundleTests.push(asMessage: true) }
    }

    private static func push(asMessage: Bool) async throws {
        // The message is smaller: unoptimised, base64 takes its time.
        let objects = asMessage ? 3_000 : 20_000
        let stage = CoreStage()
        let intake = CountingIntake()
        let ledger = try await Ledger.open(path: stage.directory + "/ledger.db", world: stage.world)
        let connectors = try await Connectors.open(
            directory: stage.directory + "/connectors", ledger: ledger, intake: intake, gates: stage.gates,
            settings: stage.settings, world: stage.world)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await connectors.run() }
            _ = try await connectors.register(ConnectorRegistration(id: "c", name: "C"))
            let before = Self.resetPeak()
            let head = BundleHead(connector: "c", encoding: asMessage ? .message : .stix)
            let reception = try await connectors.beginPush(head, deadline: nil)
            var pieces = Pieces(objects: objects, isMessage: asMessage)
            var total = 0
            while let piece = pieces.next() {
                total += piece.readableBytes
                try await reception.write(piece)
            }
            try await reception.finish()
            #expect(total > (asMessage ? 16_000_000 : 100_000_000))
            #expect(await connectors.queueLevel("c").map { $0.bytes == Int64(total) || $0.messages == 0 } == true)
            #expect(await eventually { await connectors.queueLevel("c")?.messages == 0 })
            #expect(intake.events == objects)
            #expect(Self.peak() - before < 64_000_000)
            connectors.stop()
            try await group.waitForAll()
        }
        await ledger.close()
    }

    /// A bundle in pieces of 64 KB, made as it is sent.
    private struct Pieces {
        var objects: Int
        var isMessage: Bool
        private var made = 0
        private var isOver = false
        private var rest = Data()

        init(objects: Int, isMessage: Bool) {
            self.objects = objects
            self.isMessage = isMessage
        }

        mutating func next() -> ByteBuffer? {
            if isOver { return nil }
            var piece = isMessage && made == 0 ? ByteBuffer(string: #"{"content":""#) : ByteBuffer()
            while piece.readableBytes < 64_000, made < objects {
                var text = made == 0 ? #"{"type":"bundle","objects":["# : ","
                text += Sample.object(made, padding: 5_000)
                made += 1
                append(text, &piece)
            }
            if made == objects {
                append("]}", &piece)
                if isMessage { piece.writeString(rest.base64EncodedString() + "\"}") }
                isOver = true
            }
            return piece
        }

        private mutating func append(_ text: String, _ piece: inout ByteBuffer) {
            guard isMessage else {
                piece.writeString(text)
                return
            }
            rest.append(contentsOf: text.utf8)
            let whole = rest.count / 3 * 3
            piece.writeString(Data(rest.prefix(whole)).base64EncodedString())
            rest = Data(rest.dropFirst(whole))
        }
    }

    /// Resident bytes now; the peak counts from here.
    private static func resetPeak() -> Int {
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
        return field("VmRSS")
    }

    private static func peak() -> Int { field("VmHWM") }

    private static func field(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1_024
    }
}
