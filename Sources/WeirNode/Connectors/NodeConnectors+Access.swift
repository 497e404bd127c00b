package import NIOCore
import Synchronization
import WeirConnectors
import WeirGates
import WeirStore
import WeirWorld

extension NodeConnectors: ConnectorAccess {
    package func statuses(of ids: [String]) -> [ConnectorStatus] {
        statuses(of: ids) { status in status.gate = gates.reading(GateKind.connectorPrefix + status.id) }
    }

    /// - Parameter finish: adds to each what takes time and not everybody needs.
    private func statuses(
        of ids: [String], finish: (inout ConnectorStatus) -> Void = { _ in }
    ) -> [ConnectorStatus] {
        guard let parts else { return [] }
        let clock = world.time.reading
        let runs = runs.withLock { $0 }
        return parts.platform.looks(of: ids).map { look in
            let id = look.record.id
            var status = ConnectorStatus(look)
            var health = ConnectorHealth(look)
            if status.origin != "opencti" {
                health.schedule = parts.runner.status(of: id)
                health.runningSince = runs[id]?.since
                health.failure = runs[id]?.failure
                status.follow(health.schedule, at: clock)
            }
            status.troubles = health.troubles(at: clock.wall)
            finish(&status)
            return status
        }
    }

    package func index() async -> ConnectorIndex { parts == nil ? ConnectorIndex() : await indexing.index() }

    /// A few thousand connectors are looked at in less time than it takes to say that they are.
    private static let manyConnectors = 5_000

    package var indexProgress: ConnectorIndexProgress? {
        guard !indexing.hasIndex, let count = parts?.platform.count, count > Self.manyConnectors else { return nil }
        indexing.prepare()
        return indexing.progress ?? ConnectorIndexProgress(looked: 0, of: count)
    }

    /// Makes what `index` answers, until the task is cancelled.
    func keepIndex(_ platform: Connectors) async {
        await indexing.run(
            of: { platform.ids }, look: { ids, index in for status in statuses(of: ids) { index.add(status) } })
    }

    package func works(of id: String, most: Int) async -> [WorkStatus] {
        await parts?.platform.works(of: id, most: most).map(WorkStatus.init) ?? []
    }

    package func audit(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [ConnectorAudit] {
        do throws(ConnectorFailure) {
            return try await parts?.platform.audit(of: id, most: most).map {
                ConnectorAudit(at: $0.time, who: $0.who, action: $0.action, why: $0.why)
            } ?? []
        } catch {
            throw ConnectorOrderFailure(error)
        }
    }

    package func give(
        _ order: ConnectorOrder, to id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) {
        guard let parts, await parts.platform.connector(id) != nil else {
            throw ConnectorOrderFailure(.unknown, "There is no connector \(id).")
        }
        let platform = parts.platform
        let own = parts.runner.status(of: id)
        do {
            switch order {
            case .run:
                guard own != nil else { throw Self.notOurs("start its run") }
                guard !platform.isHeld(id) else {
                    throw ConnectorOrderFailure(
                        .notPossible, "It is paused: what a run brings would wait.", help: "Resume it first.")
                }
                try await platform.note("run", of: id, by: who, why: why)
                parts.runner.runNow(id)
            case .terminate:
                guard let own else { throw Self.notOurs("stop its run") }
                guard own.isRunning else {
                    throw ConnectorOrderFailure(
                        .notPossible, "No run of it is under way.", help: "There is nothing to do.")
                }
                try await platform.note("terminate", of: id, by: who, why: why)
                parts.runner.stopRun(id)
            case .pause: try await platform.give(.hold(by: who), to: id, why: why)
            case .resume: try await platform.give(.release(by: who), to: id, why: why)
            case .reset: try await platform.resetState(id, by: who, why: why)
            }
        } catch let failure as ConnectorOrderFailure {
            throw failure
        } catch let failure as ConnectorFailure {
            throw ConnectorOrderFailure(failure)
        } catch {
            throw ConnectorOrderFailure(.failed, "\(error)")
        }
    }

    private static func notOurs(_ deed: String) -> ConnectorOrderFailure {
        ConnectorOrderFailure(
            .notPossible, "This connector runs in a process of its own, so Weir cannot \(deed).",
            help: "Restart that process, or wait for its next run.")
    }

    package var openCTIConnectionsMost: Int? { plan.settings.openCTI?.connectionsMost }

    package func answerOpenCTI(
        method: String, header: @Sendable (String) -> String?,
        body: some AsyncSequence<ByteBuffer, any Error> & Sendable
    ) async -> OpenCTIAnswer {
        guard let door = parts?.door else {
            return OpenCTIAnswer(
                status: 503, headers: [("Content-Type", "application/json")],
                body: ByteBuffer(string: #"{"errors":[{"message":"Weir is not open yet."}]}"#))
        }
        let answer = await door.answer(method: method, header: header, body: body)
        return OpenCTIAnswer(status: answer.status, headers: answer.headers, body: answer.body, again: answer.again)
    }
}
