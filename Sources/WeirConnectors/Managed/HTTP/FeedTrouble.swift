import NIOCore
import NIOHTTP1
import WeirCalls
import WeirGates
import WeirWires
import WeirWorld

/// Why a request brought nothing, and whether the next one may.
struct FeedTrouble: Error {
    var failure: RunFailure
    /// The same request may be answered well a moment later.
    var mayPass: Bool

    /// A request that got no answer.
    static func unanswered(_ error: any Error, peer: String) -> FeedTrouble {
        let reason = HTTPReason.of(error, peer: peer)
        return FeedTrouble(
            failure: RunFailure(reason.code, reason.sentence),
            mayPass: !["tls_failed", "bad_answer"].contains(reason.code))
    }

    static func silent(_ limit: Duration, peer: String) -> FeedTrouble {
        FeedTrouble(
            failure: RunFailure(
                HTTPReason.requestTimeout, "\(peer) did not answer within \(limit.shortText) (`request_timeout`)."),
            mayPass: true)
    }

    /// An answer that is none of those that count.
    /// - Parameter said: the beginning of its body.
    static func answer(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ said: ByteBuffer, secrets: [String], peer: String,
        at wall: WallTime
    ) -> FeedTrouble {
        let code = Int(status.code)
        let text = AnswerText.clean(said, secrets: secrets)
        var sentence = "\(peer) answered \(code)"
        switch code {
        case 401, 403: sentence += ", it does not let us in (`auth`)"
        case 404, 410: sentence += ", there is nothing at that address (`url`)"
        case 406: sentence += ", it does not have it in that form (`format`)"
        case 429: sentence += ", it is asked too often"
        default: break
        }
        let wait = headers.first(name: "Retry-After").flatMap { RetryAfter.parse($0, now: wall, most: .hours(24)) }
        if !text.isEmpty { sentence += ": \(text)" }
        if let wait {
            sentence += sentence.hasSuffix(".") ? " " : ". "
            sentence += "It wants \(wait.shortText) of rest"
        }
        if !sentence.hasSuffix(".") { sentence += "." }
        return FeedTrouble(
            failure: RunFailure("http_\(code)", sentence, retryAfter: wait),
            mayPass: [408, 425, 429].contains(code) || (500..<600).contains(code) && code != 501)
    }

    /// Anything that ended a run, with the name of what was fetched.
    static func said(_ error: any Error, _ name: String) -> any Error {
        switch error {
        case is CancellationError, is RunFailure, is ConnectorFailure: error
        case let trouble as FeedTrouble: trouble.failure
        case let mistake as BundleMistake: RunFailure(mistake.code, "\(name): \(mistake.sentence)")
        default: Task.isCancelled ? CancellationError() : unanswered(error, peer: name).failure
        }
    }
}
