internal import AsyncHTTPClient
internal import NIOHTTP1
package import WeirGates

/// What an HTTP request that got no answer can say: `NetworkReason`, and
///
/// | what | code |
/// | --- | --- |
/// | no connection in time | `connect_timeout` |
/// | no answer in time | `request_timeout` |
/// | closed before the answer | `connection_closed` |
/// | what is no HTTP | `bad_answer` |
package enum HTTPReason {
    package static let requestTimeout = "request_timeout"

    package static func of(_ error: any Error, peer: String) -> Reason {
        switch error {
        case let error as HTTPClientError: of(client: error, peer: peer)
        case HTTPParserError.invalidEOFState: of(client: .remoteConnectionClosed, peer: peer)
        case is HTTPParserError: badAnswer(peer)
        default: NetworkReason.of(error, peer: peer)
        }
    }

    /// True where our own client was ended under the request.
    package static func isShutdown(_ error: any Error) -> Bool { error as? HTTPClientError == .alreadyShutdown }

    package static func badAnswer(_ peer: String) -> Reason {
        Reason("bad_answer", "\(peer) answers with something that is not HTTP.")
    }

    private static func of(client error: HTTPClientError, peer: String) -> Reason {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout: Reason("connect_timeout", "\(peer) did not answer in time.")
        case .deadlineExceeded, .readTimeout, .writeTimeout, .getConnectionFromPoolTimeout:
            Reason(requestTimeout, "\(peer) did not answer the request in time.")
        case .remoteConnectionClosed, .uncleanShutdown:
            Reason("connection_closed", "\(peer) closed the connection before it had answered.")
        case .httpEndReceivedAfterHeadWith1xx: badAnswer(peer)
        default: Reason("connect_failed", "The request to \(peer) failed: \(error.shortDescription).")
        }
    }
}
