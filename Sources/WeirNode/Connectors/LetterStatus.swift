package import NIOCore
import WeirConnectors
package import WeirGates
package import WeirWorld

/// A bundle of a connector that could not be unpacked, as people see it.
package struct LetterStatus: Sendable {
    package var id: UInt64
    package var at: WallTime
    package var reason: Reason
    package var attempts: Int
    package var work: String?
    /// Of the whole bundle; `nil` where nobody has written it down.
    package var bytes: Int64?
    /// Its beginning, or all of it.
    package var content: ByteBuffer
    package var isWhole: Bool
    /// Where the whole of a large one lies.
    package var file: String?
    /// False where only a part of it is left.
    package var canReplay: Bool
}

package enum LetterDeed: String, Sendable, Hashable, CaseIterable {
    case replay
    case discard
}

extension LetterStatus {
    fileprivate init(_ letter: ConnectorDeadLetter) {
        id = letter.id
        at = letter.at
        reason = letter.reason
        attempts = letter.attempts
        work = letter.work
        bytes = letter.bytes
        content = letter.content
        isWhole = letter.isWhole
        file = letter.file
        canReplay = letter.canReplay
    }
}

extension NodeConnectors {
    package func deadLetters(of id: String, most: Int) async throws(ConnectorOrderFailure) -> [LetterStatus] {
        do throws(ConnectorFailure) {
            return try await parts?.platform.deadLetters(of: id, most: most).map(LetterStatus.init) ?? []
        } catch {
            throw ConnectorOrderFailure(error)
        }
    }

    package func deadLetter(_ letter: UInt64, of id: String) async throws(ConnectorOrderFailure) -> LetterStatus {
        do throws(ConnectorFailure) {
            if let found = try await parts?.platform.deadLetter(letter, of: id) { return LetterStatus(found) }
        } catch {
            throw ConnectorOrderFailure(error)
        }
        throw ConnectorOrderFailure(.unknownLetter, "\(id) has no dead letter \(letter) (any more).")
    }

    package func handle(
        _ deed: LetterDeed, _ letter: UInt64?, of id: String, by who: String, why: String
    ) async throws(ConnectorOrderFailure) -> Int {
        guard let platform = parts?.platform else { return 0 }
        do throws(ConnectorFailure) {
            switch deed {
            case .replay: return try await platform.replayDeadLetters(of: id, only: letter, by: who, why: why)
            case .discard: return try await platform.discardDeadLetters(of: id, only: letter, by: who, why: why)
            }
        } catch {
            throw ConnectorOrderFailure(error)
        }
    }
}

extension ConnectorOrderFailure {
    init(_ failure: ConnectorFailure) {
        switch failure.code {
        case .unknownConnector: self.init(.unknown, failure.message)
        case .invalid, .held, .unknownWork: self.init(.notPossible, failure.message)
        case .storage, .stopped: self.init(.failed, failure.message, help: "The log of the node says more.")
        }
    }
}
