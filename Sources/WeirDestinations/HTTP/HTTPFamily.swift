package import AsyncHTTPClient
import Foundation
package import NIOCore
import NIOHTTP1
import WeirCalls
package import WeirFlow
import WeirGates
import WeirWires
package import WeirWorld

/// The one table of the HTTP family: what an answer, or none, means for the batch.
///
/// | answer | failure | what the chain does |
/// | --- | --- | --- |
/// | 2xx | none | delivered |
/// | 408, 425, 429, 5xx | busy | again later; `Retry-After` of 429 and 503 pauses the destination |
/// | 401, 403, 404, 405, 407 | misconfigured | suspends until a person mends it |
/// | other 4xx | rejected | splits to find the bad events |
/// | 1xx, 3xx | misconfigured | suspends: no redirect is followed, it would carry events and credentials elsewhere |
/// | connect refused, no name, reset, closed, TLS | unreachable | rests the endpoint |
/// | no answer in time | timedOut | rests the endpoint; it may have taken the batch |
/// | what is no HTTP | unreachable (`bad_answer`) | rests the endpoint |
///
/// Sources: issue 1 (gates), seeds/2 (HTTP-Based Destinations), RFC 9110 section 15.
package enum HTTPFamily {
    /// Most bytes of an answer that are read.
    static let answerBytesMost = 1 << 20

    /// The client that all HTTP destinations share. HTTP/1.1, keep-alive, no redirects, no proxies, 10 s to connect; it
    /// connects once, because trying again is the chain's business.
    package static func makeClient(eventLoops: any EventLoopGroup) -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(10)), decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: eventLoops, configuration: configuration)
    }

    /// - Parameters:
    ///   - said: what the receiver said about it, bounded and without our secrets; empty for nothing.
    package static func failure(
        status: Int, retryAfter: String?, said: String, from peer: String, now: WallTime
    ) -> DeliveryFailure? {
        let text = said.isEmpty ? "\(peer) answers \(status)." : "\(peer) answers \(status): \(said)"
        let reason = Reason("http_\(status)", text)
        switch status {
        case 200...299: return nil
        case 429, 503: return .busy(reason, retryAfter: retryAfter.flatMap { RetryAfter.parse($0, now: now) })
        case 408, 425, 500...599: return .busy(reason)
        case 401, 403, 404, 405, 407: return .misconfigured(reason)
        case 400...499: return .rejected(reason)
        case 300...399:
            return .misconfigured(
                Reason(
                    "http_\(status)",
                    "\(peer) answers \(status); redirects are never followed: put the right URL into the settings."))
        case 100...199:
            return .misconfigured(
                Reason("http_\(status)", "\(peer) answers \(status), which is no answer to a delivery."))
        default: return .busy(Reason("bad_answer", "\(peer) answers with a status that HTTP does not have."))
        }
    }

    static func failure(_ error: any Error, from peer: String) -> DeliveryFailure {
        if error is CancellationError || Task.isCancelled || HTTPReason.isShutdown(error) { return .cancelled }
        let reason = HTTPReason.of(error, peer: peer)
        return reason.code == HTTPReason.requestTimeout ? .timedOut(reason) : .unreachable(reason)
    }

    static func badAnswer(_ peer: String) -> Reason { HTTPReason.badAnswer(peer) }
}
