import WeirStore
import WeirWorld

/// Tells something outside about an identity: what an event rule's channel is.
package protocol EventChannel: Sendable {
    /// At least once: an answer that was lost is followed by the same event again.
    func tell(_ event: Change, rule: String, secrets: [String: String]) async -> WriteAnswer
}

/// Carries out what passed: the intent is journalled, the silo written, the result journalled. A value; what it needs
/// is handed in.
struct Exporter: Sendable {
    let database: IdentityDatabase
    let provider: @Sendable (String) -> (any SiloProvider)?
    let channel: @Sendable (String) -> (any EventChannel)?
    let time: any TimeSource
    /// Writes that are under way at once, for all silos together. A provider may let fewer through.
    let writesAtOnce: Int

    /// Intents that share one journal entry and one result entry.
    static let chunk = 500

    struct Done: Sendable {
        var executed = 0
        /// Worth looking at again soon: by identity and rule.
        var again: [(identity: String, rule: String)] = []
    }

    /// - Parameter progress: called with how many are done.
    /// - Throws: what the database says; then nothing more is sent.
    func carryOut(
        _ intents: [ExecutionTable.Intent], sync: String, number: Int64, progress: @Sendable (Int) -> Void
    ) async throws(StoreFailure) -> Done {
        var done = Done()
        var count = 0
        for step in ExportPlan(intents).steps {
            for start in stride(from: 0, to: step.count, by: Self.chunk) {
                // What is not begun when the server is told to end stays approved, or triggers again.
                if Task.isCancelled { return done }
                let places = step[start..<min(start + Self.chunk, step.count)]
                let chosen = places.map { intents[$0] }
                let began = time.wall
                let written = try await database.write { database in
                    try ExecutionTable.journal(chosen, sync: sync, at: began, database)
                }
                let endings = await write(written)
                let ended = time.wall
                try await database.write { database in
                    for (intent, ending) in zip(written, endings) {
                        let isEvent = intent.changes.first?.operation == .event
                        try ExecutionTable.settle(
                            intent, ending, sync: number, isEvent: isEvent, at: ended, database)
                    }
                }
                for (intent, ending) in zip(written, endings) {
                    if ending.result == .executed { done.executed += 1 }
                    if ending.result == .unknown || ending.isPassing {
                        done.again.append((intent.identity, intent.rule))
                    }
                }
                count += places.count
                progress(count)
            }
        }
        return done
    }

    private func write(_ intents: [ExecutionTable.Intent]) async -> [ExecutionTable.Ending] {
        let writes = ExportPlan.writes(intents, intents.indices)
        var answers: [[WriteAnswer]] = Array(repeating: [], count: intents.count)
        var again: [ExportPlan.Write] = []
        for (write, answer) in await all(writes, intents) {
            // One bad member must not keep the others out of the group: then each is asked for by itself.
            if case .refused = answer, write.intents.count > 1 {
                for place in write.intents {
                    for change in intents[place].changes where change.anchor == write.change.anchor {
                        again.append(ExportPlan.Write(change: change, intents: [place]))
                    }
                }
                continue
            }
            for place in write.intents { answers[place].append(answer) }
        }
        for (write, answer) in await all(again, intents) {
            for place in write.intents { answers[place].append(answer) }
        }
        return answers.map(Self.ending)
    }

    private func all(
        _ writes: [ExportPlan.Write], _ intents: [ExecutionTable.Intent]
    ) async -> [(ExportPlan.Write, WriteAnswer)] {
        await withTaskGroup(of: (Int, WriteAnswer).self) { group in
            var next = 0
            var answers: [WriteAnswer?] = Array(repeating: nil, count: writes.count)
            func start() {
                guard next < writes.count else { return }
                let (place, write) = (next, writes[next])
                let rule = write.intents.first.map { intents[$0].rule } ?? ""
                next += 1
                group.addTask { (place, await self.write(write, rule)) }
            }
            for _ in 0..<max(1, writesAtOnce) { start() }
            while let (place, answer) = await group.next() {
                answers[place] = answer
                start()
            }
            return zip(writes, answers).map { ($0, $1 ?? .unknown(code: "no_answer", text: "no answer came")) }
        }
    }

    private func write(_ write: ExportPlan.Write, _ rule: String) async -> WriteAnswer {
        if write.change.operation == .event {
            guard let channel = channel(rule) else {
                return .refused(code: "no_channel", text: "the rule's channel is not configured")
            }
            return await channel.tell(write.change, rule: rule, secrets: write.secrets)
        }
        guard let provider = provider(write.change.target.silo) else {
            return .refused(code: "no_silo", text: "there is no silo `\(write.change.target.silo)`")
        }
        guard provider.abilities.writes else {
            return .refused(code: "read_only", text: "`\(write.change.target.silo)` is only read")
        }
        return await provider.write(write.change, secrets: write.secrets)
    }

    /// Of all changes of one intent: done where all are.
    private static func ending(_ answers: [WriteAnswer]) -> ExecutionTable.Ending {
        var ending = ExecutionTable.Ending(result: .executed, code: "written", text: "")
        for answer in answers {
            switch answer {
            case .written: break
            case .alreadySo: ending.code = "already_so"
            case .refused(let code, let text):
                if ending.result != .unknown { ending = .init(result: .failed, code: code, text: text) }
            case .failed(let code, let text):
                if ending.result == .executed {
                    ending = .init(result: .failed, code: code, text: text, isPassing: true)
                }
            case .unknown(let code, let text): ending = .init(result: .unknown, code: code, text: text)
            }
        }
        return ending
    }

    // MARK: Settling

    /// Reads the target for everything that nobody knows the end of.
    /// - Returns: problems: what could still not be read.
    func settle() async throws(StoreFailure) -> [SyncView.Problem] {
        let unsettled = try await database.read { try ExecutionTable.unsettled($0) }
        var problems: [SyncView.Problem] = []
        for (intent, number) in unsettled {
            let ending = await find(intent)
            if ending.result == .unknown {
                problems.append(
                    SyncView.Problem(
                        rule: intent.rule, identity: intent.identity, code: "execution-unknown", text: ending.text))
            }
            let isEvent = intent.changes.first?.operation == .event
            let now = time.wall
            try await database.write { database in
                try ExecutionTable.settle(intent, ending, sync: number, isEvent: isEvent, at: now, database)
                if ending.result == .undone {
                    try MemoryTable.setTimer(intent.identity, intent.rule, at: now, database)
                }
            }
        }
        try await database.write { try ExecutionTable.unclaim($0) }
        return problems
    }

    private func find(_ intent: ExecutionTable.Intent) async -> ExecutionTable.Ending {
        for change in intent.changes {
            if change.operation == .event {
                return .init(result: .undone, code: "not_known", text: "nobody knows whether it was told")
            }
            guard let provider = provider(change.target.silo) else {
                return .init(result: .failed, code: "no_silo", text: "there is no silo `\(change.target.silo)`")
            }
            do throws(ScanFailure) {
                let object = try await provider.read(
                    change.target, anchor: change.anchor, name: change.newName ?? change.name)
                guard TargetCheck.isDone(change, object) else {
                    return .init(
                        result: .undone, code: "not_done", text: "the target was read: it had not been done")
                }
            } catch {
                return .init(result: .unknown, code: error.code, text: error.text)
            }
        }
        return .init(result: .executed, code: "found_done", text: "the target was read: it had been done")
    }
}
