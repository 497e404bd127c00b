package import NIOCore
import WeirConnectors
import WeirGates
import WeirStore
import WeirWorld

extension NodeConnectors: ConnectorAccess {
    package var all: [ConnectorStatus] {
        guard let platform = parts?.platform else { return [] }
        let now = world.time.wall
        return platform.looks.map { look in
            var status = ConnectorStatus(look, at: now)
            status.gate = gates.reading("connector/" + look.record.id)
            return status
        }
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
            throw ConnectorOrderFailure(.failed, error.message)
        }
    }

    package func give(
        _ order: ConnectorOrder, to id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) {
        guard let platform = parts?.platform, await platform.connector(id) != nil else {
            throw ConnectorOrderFailure(.unknown, "There is no connector \(id).")
        }
        do throws(ConnectorFailure) {
            switch order {
            case .run:
                throw ConnectorFailure(.invalid, "")
            case .pause:
                try await platform.note("pause", of: id, by: who, why: why)
                _ = gates.order(.hold(by: who), "connector/" + id)
            case .resume:
                try await platform.note("resume", of: id, by: who, why: why)
                _ = gates.order(.release(by: who), "connector/" + id)
            case .reset: try await platform.resetState(id, by: who, why: why)
            }
        } catch {
            if error.code == .invalid {
                throw ConnectorOrderFailure(
                    .notPossible, "This connector runs in a process of its own, so Weir cannot start its run.",
                    help: "Restart that process, or wait for its next run.")
            }
            throw ConnectorOrderFailure(.failed, error.message)
        }
    }

    package var hasOpenCTIDoor: Bool { plan.settings.openCTI != nil }

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
        return OpenCTIAnswer(status: answer.status, headers: answer.headers, body: answer.body)
    }
}
