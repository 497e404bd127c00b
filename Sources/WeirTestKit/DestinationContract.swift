import NIOCore
package import WeirFlow
import WeirGates
package import WeirWorld

/// What every destination must keep, whatever it speaks. A destination's test file names itself to it:
///
///     @Test("TCP keeps the contract of destinations", arguments: DestinationContract.Clause.allCases)
///     func contract(_ clause: DestinationContract.Clause) async throws {
///         try await DestinationContract(world: .live(log: log)) { try await TCPStand() }.check(clause)
///     }
package struct DestinationContract: Sendable {
    package enum Clause: String, Sendable, CaseIterable, CustomStringConvertible {
        case arrives = "every event of a batch arrives once, in order, with its bytes as they were"
        case arrivesTogether = "several batches in one send arrive as if they were one"
        case emptyIsHarmless = "an empty batch is harmless"
        case manyAtOnce = "sends at once, as many as its shape says, arrive all"
        case largeBatch = "a batch of the largest size arrives"
        case bareFraming = "events without separators arrive like others"
        case reopens = "after close and open it sends again"
        case closesTwice = "close may be called twice, and before open"
        case unreachable =
            "a receiver that is not there is `unreachable`, busy or timed out, quickly, and never a crash"
        case comesBack = "after the receiver came back, open and send work"
        case cancels = "a cancelled send to a receiver that does not answer ends at once"
        package var description: String { rawValue }
    }

    /// A receiver and how to make a destination for it. One for each clause.
    package protocol Stand: Sendable {
        var shape: DeliveryShape { get }
        func makeDestination() async throws -> any Destination
        /// What has arrived so far: the content of each event, in order of arrival.
        func received() async throws -> [String]
        /// The receiver goes away: connections break, new ones are refused, the directory is gone.
        /// - Returns: false where that cannot be (stdout, drop); the clauses about it are passed over.
        func goAway() async throws -> Bool
        func comeBack() async throws
        /// The receiver accepts and answers nothing more. - Returns: false where that cannot be.
        func fallSilent() async throws -> Bool
        func tearDown() async
    }

    private let world: World
    private let makeStand: @Sendable () async throws -> any Stand
    private let isExact: Bool

    /// - Parameters:
    ///   - world: a live one.
    ///   - isExact: false where events may come out changed or more than once (UDP, templates): only that they come is
    /// checked.
    package init(world: World, isExact: Bool = true, stand: @escaping @Sendable () async throws -> any Stand) {
        self.world = world
        self.isExact = isExact
        makeStand = stand
    }

    /// - Throws: `ContractBreach` with what was expected and what was seen.
    package func check(_ clause: Clause) async throws {
        let stand = try await makeStand()
        do {
            try await run(clause, stand)
        } catch {
            await stand.tearDown()
            throw error
        }
        await stand.tearDown()
    }

    private func run(_ clause: Clause, _ stand: any Stand) async throws {
        let destination = try await stand.makeDestination()
        switch clause {
        case .arrives:
            try await destination.open()
            let texts = (0..<500).map { #"{"n":\#($0),"text":"event \#($0) with some more text"}"# }
            try await send([texts], to: destination)
            try await expect(texts, at: stand)
        case .arrivesTogether:
            try await destination.open()
            let parts = (0..<5).map { part in (0..<20).map { #"{"part":\#(part),"n":\#($0)}"# } }
            try await send(parts, to: destination)
            try await expect(parts.flatMap { $0 }, at: stand)
        case .emptyIsHarmless:
            try await destination.open()
            try await send([[]], to: destination)
            try await send([[#"{"n":1}"#]], to: destination)
            try await expect([#"{"n":1}"#], at: stand)
        case .manyAtOnce:
            try await destination.open()
            let count = stand.shape.isOrdered ? 1 : max(1, min(8, stand.shape.concurrency))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for part in 0..<count {
                    group.addTask {
                        try await send([(0..<50).map { #"{"part":\#(part),"n":\#($0)}"# }], to: destination)
                    }
                }
                try await group.waitForAll()
            }
            let all = (0..<count).flatMap { part in (0..<50).map { #"{"part":\#(part),"n":\#($0)}"# } }
            try await expect(all, at: stand, inOrder: false)
        case .largeBatch:
            try await destination.open()
            let text = String(repeating: "x", count: 200)
            let count = max(1, min(stand.shape.eventsMost, min(stand.shape.bytesMost, 2_000_000) / 230))
            let texts = (0..<count).map { #"{"n":\#($0),"text":"\#(text)"}"# }
            try await send([texts], to: destination)
            try await expect(texts, at: stand)
        case .bareFraming:
            try await destination.open()
            var slab = ByteBuffer()
            var ends = ContiguousArray<UInt32>()
            let texts = (0..<10).map { #"{"n":\#($0)}"# }
            for text in texts {
                slab.writeString(text)
                ends.append(UInt32(slab.readableBytes))
            }
            let report = try await destination.send(Batch(slab: slab, ends: ends, framing: .bare, context: context))
            try keep(
                report.rejected.isEmpty && report.postponed.isEmpty,
                "the receiver took everything, the report says \(report)")
            try await expect(texts, at: stand)
        case .reopens:
            try await destination.open()
            try await send([[#"{"n":1}"#]], to: destination)
            await destination.close()
            try await destination.open()
            try await send([[#"{"n":2}"#]], to: destination)
            await destination.close()
            try await expect([#"{"n":1}"#, #"{"n":2}"#], at: stand)
            return
        case .closesTwice:
            await destination.close()
            try await destination.open()
            await destination.close()
            await destination.close()
            return
        case .unreachable:
            guard try await stand.goAway() else { break }
            let failure = await attempt([#"{"n":1}"#], destination)
            try keep(failure != nil, "nothing failed though the receiver was gone")
            if let failure {
                try keep(failure.isTransient, "a receiver that is gone is tried again, but this was \(failure)")
                try keep(!failure.reason.code.isEmpty && !failure.reason.sentence.isEmpty, "a failure without a reason")
                try keep(
                    failure.reason.code.utf8.allSatisfy {
                        ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x5F
                    },
                    "`\(failure.reason.code)` is not a code: lower case letters, digits and _ (it becomes a label)")
            }
        case .comesBack:
            guard try await stand.goAway() else { break }
            _ = await attempt([#"{"n":1}"#], destination)
            try await stand.comeBack()
            let before = try await stand.received().count
            // The first attempts may still meet what is left of the old connection.
            var failure = await attempt([#"{"n":2}"#], destination)
            for _ in 0..<20 where failure != nil {
                try await world.time.sleep(for: .milliseconds(100))
                failure = await attempt([#"{"n":2}"#], destination)
            }
            try keep(failure == nil, "two seconds after the receiver came back: \(failure.map { "\($0)" } ?? "")")
            try await wait("the event after the outage arrives") { try await stand.received().count > before }
        case .cancels:
            try await destination.open()
            guard try await stand.fallSilent() else { break }
            let start = world.time.now
            let ended = await withTaskGroup(of: DeliveryFailure?.self) { group in
                group.addTask { await attempt(largeTexts, destination) }
                try? await world.time.sleep(for: .milliseconds(300))
                group.cancelAll()
                return await group.next() ?? nil
            }
            _ = ended
            let took = world.time.now - start
            try keep(took < .seconds(3), "a cancelled send ended after \(took)")
        }
        await destination.close()
    }

    // MARK: Helpers

    private var context: BatchContext { BatchContext(kind: .json, source: "contract", received: world.time.wall) }

    private var largeTexts: [String] {
        (0..<4_000).map { #"{"n":\#($0),"text":"\#(String(repeating: "y", count: 900))"}"# }
    }

    private func send(_ parts: [[String]], to destination: any Destination) async throws {
        let batches = parts.map { Batch.texts($0, context: context) }
        let report = batches.count == 1 ? try await destination.send(batches[0]) : try await destination.send(batches)
        try keep(
            report.rejected.isEmpty && report.postponed.isEmpty,
            "the receiver took everything, the report says \(report)")
    }

    private func attempt(_ texts: [String], _ destination: any Destination) async -> DeliveryFailure? {
        do throws(DeliveryFailure) {
            try await destination.open()
            _ = try await destination.send(.texts(texts, context: context))
            return nil
        } catch {
            return error
        }
    }

    private func expect(_ texts: [String], at stand: any Stand, inOrder: Bool = true) async throws {
        try await wait("\(texts.count) events arrive") { try await stand.received().count >= texts.count }
        let received = try await stand.received()
        guard isExact else { return }
        try keep(received.count == texts.count, "\(texts.count) events were sent, \(received.count) arrived")
        if inOrder {
            if received == texts { return }
            let place = zip(received, texts).enumerated().first { $0.element.0 != $0.element.1 }
            let detail = place.map { "event \($0.offset) arrived as \($0.element.0), sent was \($0.element.1)" } ?? ""
            throw ContractBreach("the events did not arrive as they were sent: \(detail)")
        }
        try keep(received.sorted() == texts.sorted(), "other events arrived than were sent")
    }

    private func wait(_ what: String, _ isSo: () async throws -> Bool) async throws {
        for _ in 0..<250 {
            if try await isSo() { return }
            try await world.time.sleep(for: .milliseconds(20))
        }
        throw ContractBreach("waited 5 s in vain: \(what)")
    }
}
