internal import Foundation

/// Questions and answers of the OpenID AuthZEN Authorization API 1.0, section 6 (access evaluation).
enum AuthZENMessage {
    struct Entity: Codable, Sendable, Hashable {
        var type: String
        var id: String
        var properties: [String: String]?
    }

    struct Action: Codable, Sendable, Hashable {
        var name: String
    }

    struct Request: Codable, Sendable, Hashable {
        var subject: Entity
        var action: Action
        var resource: Entity
        var context: [String: String]

        init(_ question: OpenQuestion, hub: String, at time: String) {
            subject = Entity(type: "network_client", id: question.subject)
            action = Action(name: "connect")
            resource = Entity(type: "tunnel_connector", id: question.connector)
            context = ["listener": question.listener, "hub": hub, "time": time]
            context["client_ip"] = question.clientAddress
            context["client_port"] = question.clientPort.map(String.init)
        }
    }

    /// Obligations that Weir keeps; what else a context holds is counted by `unknown`.
    struct Answer: Sendable, Hashable {
        var decision: Bool
        var id: String?
        var reason: String?
        var durationMost: Duration?
        var bytesMost: Int64?
        var rate: Int64?
        /// Names in the context that Weir does not know.
        var unknown: [String] = []
    }

    /// Why an answer is none: counted as `error`, never as a decision.
    struct Mistake: Error, Sendable, Hashable {
        var sentence: String
    }

    /// Of a decision's name, which goes on to agent, target and audit; characters.
    static let idMost = 128
    /// Characters.
    static let reasonMost = 500
    private static let told: Set<String> = ["reason", "reason_admin", "reason_user", "id", "decision_id"]

    private struct Wire: Decodable {
        var decision: Bool
        var context: [String: Value]?
    }

    /// What a context may hold, as far as Weir looks.
    private enum Value: Decodable {
        case text(String)
        case number(Double)
        case texts([String: String])
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let texts = try? container.decode([String: String].self) {
                self = .texts(texts)
            } else {
                self = .other
            }
        }

        var text: String? {
            switch self {
            case .text(let text): text
            // `reason_user: {"en": "…"}`: the first in the order of its names.
            case .texts(let texts): texts.sorted { $0.key < $1.key }.first?.value
            case .number, .other: nil
            }
        }

        var positive: Int64? {
            guard case .number(let number) = self, number >= 1 else { return nil }
            return Int64(exactly: min(number, 9e18).rounded(.down))
        }
    }

    /// - Throws: `Mistake` for anything but a JSON object with a Boolean `decision`. A string `"true"` is no decision,
    ///   and neither is 1.
    static func answer(_ bytes: [UInt8]) throws(Mistake) -> Answer {
        let wire: Wire
        do {
            wire = try JSONDecoder().decode(Wire.self, from: Data(bytes))
        } catch {
            throw Mistake(sentence: "Its answer is no JSON object with a `decision` that is true or false.")
        }
        var answer = Answer(decision: wire.decision)
        guard let context = wire.context else { return answer }
        answer.id = (context["decision_id"] ?? context["id"])?.text.map { String($0.prefix(idMost)) }
        answer.reason = (context["reason"] ?? context["reason_user"] ?? context["reason_admin"])?.text
            .map { String($0.prefix(reasonMost)) }
        for (name, value) in context.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "max_duration_s": answer.durationMost = value.positive.map { .seconds($0) }
            case "max_bytes": answer.bytesMost = value.positive
            case "rate_bytes_per_s": answer.rate = value.positive
            default: if !told.contains(name) { answer.unknown.append(name) }
            }
        }
        return answer
    }
}
