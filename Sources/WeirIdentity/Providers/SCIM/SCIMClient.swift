import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import WeirCalls
import WeirExpressions
import WeirGates
import WeirWorld

/// Calls a SCIM service: one request, its answer as JSON, with waits where the service asks for them.
struct SCIMClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var json: Value?
        var version: String?

        /// The service's own words.
        var detail: String {
            guard case .map(let map)? = json else { return "" }
            return SCIMResource.text(SCIMResource.field(map, "detail")) ?? ""
        }
    }

    struct Failure: Error {
        var code: String
        var text: String
        /// The request may have been carried out, nobody knows.
        var isOpen: Bool

        var scanFailure: ScanFailure { ScanFailure(code: code, text: text, isPassing: true) }
    }

    /// Times that a service may say "later" to one request.
    private static let retriesMost = 5
    private static let answerMost = 64 << 20

    let base: String
    let token: String?
    let http: HTTPClient
    let timeout: Duration
    let time: any TimeSource

    func send(
        _ method: HTTPMethod, _ path: String, body: String? = nil, version: String? = nil
    ) async throws(Failure) -> Answer {
        let end = time.now + timeout
        var tries = 0
        while true {
            let (answer, later) = try await once(method, path, body, version)
            guard answer.status == 429 || answer.status == 503, tries < Self.retriesMost else { return answer }
            tries += 1
            // 1, 2, 4, 8, 16 s where the service does not say how long.
            let wait = later ?? .seconds(1 << (tries - 1))
            guard time.now + wait < end else { return answer }
            do {
                try await time.sleep(for: wait)
            } catch {
                throw Failure(code: "cancelled", text: "\(base): called off", isOpen: false)
            }
        }
    }

    private func once(
        _ method: HTTPMethod, _ path: String, _ body: String?, _ version: String?
    ) async throws(Failure) -> (Answer, Duration?) {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "Accept", value: "application/scim+json")
        if let token, !token.isEmpty { request.headers.add(name: "Authorization", value: "Bearer " + token) }
        if let version { request.headers.add(name: "If-Match", value: version) }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/scim+json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        do {
            let response = try await http.execute(
                request, timeout: .milliseconds(timeout.components.seconds * 1_000 + 1))
            let bytes = try await response.body.collect(upTo: Self.answerMost)
            let json = bytes.withUnsafeReadableBytes { $0.isEmpty ? nil : Value(json: $0) }
            let later = response.headers.first(name: "Retry-After").flatMap { Int64($0) }.map {
                Duration.seconds(max($0, 0))
            }
            return (
                Answer(
                    status: Int(response.status.code), json: json, version: response.headers.first(name: "ETag")), later
            )
        } catch {
            let reason = NetworkReason.of(error, peer: base)
            let neverSent = ["connect_refused", "dns_failed", "tls_failed"].contains(reason.code)
            throw Failure(code: reason.code, text: reason.sentence, isOpen: !neverSent)
        }
    }
}
