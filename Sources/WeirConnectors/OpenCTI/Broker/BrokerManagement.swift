internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import WeirCalls
internal import WeirGates

/// RabbitMQ's management API.
struct BrokerManagement: Sendable {
    let http: HTTPClient
    /// `http://host:15672`
    let address: String
    let vhost: String
    let user: String
    let password: String

    private static let answerMost = 64 << 20
    private static let patience = TimeAmount.seconds(5)

    /// No answer came; what stands here fits behind "it".
    struct Silence: Error { var what: String }

    /// - Parameter path: behind `/api/`; names in it as `segment` gives them.
    func call(
        _ method: HTTPMethod, _ path: String, _ body: (any Encodable & Sendable)? = nil
    ) async throws(Silence) -> (status: HTTPResponseStatus, body: Data) {
        do {
            var request = HTTPClientRequest(url: "\(address)/api/\(path)")
            request.method = method
            let credentials = Data("\(user):\(password)".utf8).base64EncodedString()
            request.headers.add(name: "Authorization", value: "Basic \(credentials)")
            if let body {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .bytes(try JSONEncoder().encode(body))
            }
            let answer = try await http.execute(request, timeout: Self.patience)
            return (answer.status, Data(try await answer.body.collect(upTo: Self.answerMost).readableBytesView))
        } catch {
            throw Silence(what: String(HTTPReason.of(error, peer: "it").sentence.dropLast()))
        }
    }

    /// A name as a part of a path.
    static func segment(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}
