import Foundation
import HTTPTypes
import NIOCore
import WeirNode
import WeirWorld

/// A bundle of a connector that could not be unpacked.
package struct ConnectorLetterView: Codable, Sendable, Hashable {
    package var id: String
    package var at: String
    package var reason: ReasonView
    package var attempts: Int
    package var work: String?
    /// Of the whole bundle; missing where that is in a file.
    package var bytes: Int64?
    /// Its beginning, or all of it; when its bytes are UTF-8.
    package var content: String?
    /// When they are not.
    package var contentBase64: String?
    /// False where `content` is only the beginning.
    package var whole: Bool
    /// The file with the whole of a large one, on the node's disk.
    package var file: String?
    /// False where only a part of it is left: it can be looked at and discarded.
    package var canReplay: Bool

    init(_ letter: LetterStatus) {
        id = String(letter.id)
        at = letter.at.description
        reason = ReasonView(letter.reason)
        attempts = letter.attempts
        work = letter.work
        bytes = letter.bytes
        whole = letter.isWhole
        file = letter.file
        canReplay = letter.canReplay
        let bytes = Array(letter.content.readableBytesView)
        // An excerpt may end in the middle of a character.
        content = (0..<4).lazy.compactMap { String(validating: bytes.dropLast($0), as: UTF8.self) }.first
        contentBase64 = content == nil ? Data(bytes).base64EncodedString() : nil
    }
}

// Bundles that could not be unpacked: looked at, pushed once more, discarded.
extension ConnectorEndpoints {
    private static let path = "/api/v1/connectors/{id}/dead-letters"
    private static let most = Endpoint.Query(
        name: "limit", meaning: "how many at most, oldest first", range: 1...1_000, standard: 100)

    var letters: [Endpoint] { [listLetters, oneLetter] + LetterDeed.allCases.flatMap { [all($0), one($0)] } }

    private var listLetters: Endpoint {
        Endpoint(
            method: .get, path: Self.path, operation: "list_connector_dead_letters",
            summary: "Bundles of a connector that could not be unpacked, oldest first, with the beginning of each.",
            query: [Self.most], answer: .json(Schema([ConnectorLetterView].self)), problems: [400, 404, 503]
        ) { request, context in
            let id = try APIEndpoints.name("id", context)
            return try Answer.json(try await letters(of: id, most: try Endpoint.value(Self.most, of: request)))
        }
    }

    private var oneLetter: Endpoint {
        Endpoint(
            method: .get, path: Self.path + "/{letter}", operation: "get_connector_dead_letter",
            summary: "One of them, with all that is kept of it: of a large one the beginning and its file.",
            answer: .json(Schema(ConnectorLetterView.self)), problems: [400, 404, 503]
        ) { _, context in
            let (id, letter) = (try APIEndpoints.name("id", context), try APIEndpoints.name("letter", context))
            return try Answer.json(ConnectorLetterView(try await self.letter(letter, of: id)))
        }
    }

    private func all(_ deed: LetterDeed) -> Endpoint {
        Endpoint(
            method: .post, path: Self.path + "/\(deed.rawValue)", operation: "\(deed.rawValue)_connector_dead_letters",
            summary: Self.summary(deed, "all of them"), answer: .json(Schema(ReplayView.self)),
            problems: [400, 404, 409, 503]
        ) { request, context in
            let note = try await OrderNote.read(request)
            let id = try APIEndpoints.name("id", context)
            return try Answer.json(
                ReplayView(events: try await handle(deed, nil, of: id, by: note.api, why: note.why ?? "")))
        }
    }

    private func one(_ deed: LetterDeed) -> Endpoint {
        Endpoint(
            method: .post, path: Self.path + "/{letter}/\(deed.rawValue)",
            operation: "\(deed.rawValue)_connector_dead_letter", summary: Self.summary(deed, "one of them"),
            answer: .json(Schema(ReplayView.self)), problems: [400, 404, 409, 503]
        ) { request, context in
            let (id, letter) = (try APIEndpoints.name("id", context), try APIEndpoints.name("letter", context))
            let note = try await OrderNote.read(request)
            return try Answer.json(
                ReplayView(events: try await handle(deed, letter, of: id, by: note.api, why: note.why ?? "")))
        }
    }

    private static func summary(_ deed: LetterDeed, _ which: String) -> String {
        switch deed {
        case .replay: "Pushes \(which) into the connector's work queue once more, through its gate."
        case .discard: "Deletes \(which)."
        }
    }

    private func letters(of id: String, most: Int) async throws(APIProblem) -> [ConnectorLetterView] {
        let id = try await status(id).id
        do throws(ConnectorOrderFailure) {
            return try await node.connectors?.deadLetters(of: id, most: most).map(ConnectorLetterView.init) ?? []
        } catch {
            throw problem(error, id)
        }
    }

    func letter(_ letter: String, of id: String) async throws(APIProblem) -> LetterStatus {
        let id = try await status(id).id
        do throws(ConnectorOrderFailure) {
            guard let number = UInt64(letter), let connectors = node.connectors else {
                throw ConnectorOrderFailure(.unknownLetter, "\(id) has no dead letter \(Printable.line(letter)).")
            }
            return try await connectors.deadLetter(number, of: id)
        } catch {
            throw problem(error, id)
        }
    }

    /// - Parameter letter: all with `nil`.
    /// - Returns: how many.
    func handle(
        _ deed: LetterDeed, _ letter: String?, of id: String, by who: String, why: String
    ) async throws(APIProblem) -> Int {
        let id = try await status(id).id
        do throws(ConnectorOrderFailure) {
            let number = letter.flatMap { UInt64($0) }
            guard letter == nil || number != nil, let connectors = node.connectors else {
                throw ConnectorOrderFailure(
                    .unknownLetter, "\(id) has no dead letter \(Printable.line(letter ?? "")).")
            }
            return try await connectors.handle(
                deed, number, of: id, by: who, why: String(Printable.line(why).prefix(Self.whyMost)))
        } catch {
            throw problem(error, id)
        }
    }
}
