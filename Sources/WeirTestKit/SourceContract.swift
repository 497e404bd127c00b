package import WeirFlow
package import WeirWorld

/// What every source must keep, whatever it speaks. A source's test file names itself to it:
///
///     @Test("TCP keeps the contract of sources", arguments: SourceContract.Clause.allCases)
///     func contract(_ clause: SourceContract.Clause) async throws {
///         try await SourceContract(world: .live(log: log)) { TCPSourceStand(intake: $0) }.check(clause)
///     }
package struct SourceContract: Sendable {
    package enum Clause: String, Sendable, CaseIterable, CustomStringConvertible {
        case arrives = "every event fed arrives once, in order, with its bytes as they were"
        case counts = "its meter counts what it handed on"
        case names = "batches carry the source's name and a time"
        case holds = "it stops reading while the intake has no room, and loses nothing; or counts what it drops"
        case stops = "after stop, run returns, and what had been read was handed on"
        case stopsWhileHeld = "it stops also while the intake has no room"
        case stopsTwice = "stop may be called twice, and before run"
        case opensAgain = "a second source opens after the first has stopped"
        package var description: String { rawValue }
    }

    /// A source under test and a way to feed it. One for each clause.
    package protocol Stand: Sendable {
        var source: any Source { get }
        /// Feeds events (each a line of JSON without line feeds) after `open`; returns when they are on their way. May
        /// wait while the source does not read. Called several times in a row.
        func feed(_ events: [String]) async throws
        /// Ends what feeding began (connections, files).
        func tearDown() async
    }

    private let world: World
    private let isExact: Bool
    private let makeStand: @Sendable (_ intake: any Intake) async throws -> any Stand

    /// - Parameters:
    ///   - world: a live one.
    ///   - isExact: false where events may be lost or changed on the way (UDP): then some must come.
    package init(
        world: World, isExact: Bool = true, stand: @escaping @Sendable (_ intake: any Intake) async throws -> any Stand
    ) {
        self.world = world
        self.isExact = isExact
        makeStand = stand
    }

    /// - Throws: `ContractBreach` with what was expected and what was seen.
    package func check(_ clause: Clause) async throws {
        let intake = RecordingIntake()
        let stand = try await makeStand(intake)
        do {
            try await run(clause, stand, intake)
        } catch {
            intake.open()
            await stand.source.stop()
            await stand.tearDown()
            throw error
        }
        await stand.tearDown()
    }

    private func run(_ clause: Clause, _ stand: any Stand, _ intake: RecordingIntake) async throws {
        let source = stand.source
        switch clause {
        case .stopsTwice:
            await source.stop()
            await source.stop()
            return
        case .opensAgain:
            try await source.open()
            try await running(source) { await source.stop() }
            let again = try await makeStand(intake)
            try await again.source.open()
            try await running(again.source) { await again.source.stop() }
            await again.tearDown()
            return
        default: break
        }
        try await source.open()
        try await running(source) {
            switch clause {
            case .arrives:
                let events = texts(0..<200)
                try await stand.feed(events)
                try await expect(events, in: intake)
            case .counts:
                try await stand.feed(texts(0..<50))
                try await wait("50 events arrive") { intake.eventCount >= (isExact ? 50 : 1) }
                try await wait("the meter counts them") { source.meter.reading.events == UInt64(intake.eventCount) }
                try keep(source.meter.reading.bytes > 0, "the meter counts no bytes")
            case .names:
                try await stand.feed(texts(0..<5))
                try await wait("events arrive") { intake.eventCount >= 1 }
                for batch in intake.batches {
                    try keep(
                        batch.context.source == source.meter.name, "a batch says it is from `\(batch.context.source)`")
                    try keep(batch.context.received.nanoseconds > 0, "a batch has no time")
                }
            case .holds:
                intake.close()
                let events = texts(0..<300)
                async let fed: Void = stand.feed(events)
                try await world.time.sleep(for: .milliseconds(300))
                try keep(intake.eventCount == 0, "events came though there was no room")
                intake.open()
                if source.canBeDelayed {
                    try await fed
                    try await expect(events, in: intake)
                } else {
                    try? await fed
                    let dropped = source.meter.reading.dropped.values.reduce(0, +)
                    try keep(dropped > 0, "it cannot be delayed, there was no room, and nothing was counted as dropped")
                }
            case .stops:
                let events = texts(0..<100)
                try await stand.feed(events)
                try await wait("events arrive") { intake.eventCount >= (isExact ? 100 : 1) }
            case .stopsWhileHeld:
                intake.close()
                async let fed: Void = stand.feed(texts(0..<20))
                try await world.time.sleep(for: .milliseconds(200))
                await source.stop()
                intake.open()
                try? await fed
            case .stopsTwice, .opensAgain: break
            }
            await source.stop()
            await source.stop()
        }
    }

    // MARK: Helpers

    private func texts(_ numbers: Range<Int>) -> [String] { numbers.map { #"{"n":\#($0),"text":"event \#($0)"}"# } }

    private func running(_ source: any Source, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                do { try await source.run() } catch is CancellationError {}
                return nil
            }
            do {
                try await body()
            } catch {
                group.cancelAll()
                throw error
            }
            group.addTask {
                try? await world.time.sleep(for: .seconds(5))
                return Task.isCancelled ? nil : "run had not returned 5 s after stop"
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if let first { throw ContractBreach(first) }
        }
    }

    private func expect(_ texts: [String], in intake: RecordingIntake) async throws {
        try await wait("\(texts.count) events arrive, so far \(intake.eventCount)") {
            intake.eventCount >= (isExact ? texts.count : 1)
        }
        guard isExact else { return }
        let events = intake.events
        try keep(events.count == texts.count, "\(texts.count) events were fed, \(events.count) arrived")
        if let place = zip(events, texts).enumerated().first(where: { $0.element.0 != $0.element.1 }) {
            throw ContractBreach(
                "event \(place.offset) was fed as \(place.element.1) and arrived as \(place.element.0)")
        }
    }

    private func wait(_ what: @autoclosure () -> String, _ isSo: () async throws -> Bool) async throws {
        for _ in 0..<250 {
            if try await isSo() { return }
            try await world.time.sleep(for: .milliseconds(20))
        }
        throw ContractBreach("waited 5 s in vain: \(what())")
    }
}
