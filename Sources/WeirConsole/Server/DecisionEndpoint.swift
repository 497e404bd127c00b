import HTTPTypes
import Hummingbird
import WeirTunnel

/// The built-in policy decision point, as AuthZEN's HTTP binding has it, for hubs and programs of this machine.
struct DecisionEndpoint: Sendable {
    /// Bytes in one request.
    static let bodyMost = 1 << 20

    let service: DecisionService
    let origin: Origin

    func add(to router: Router<BasicRequestContext>) {
        router.post(RouterPath(DecisionService.evaluationPath)) { request, _ in
            try await answer(request) { service.evaluation($0, contentType: $1) }
        }
        router.post(RouterPath(DecisionService.evaluationsPath)) { request, _ in
            try await answer(request) { service.evaluations($0, contentType: $1) }
        }
        // Never from the Host header: whoever asks would choose where others take their questions.
        router.get(RouterPath(DecisionService.discoveryPath)) { _, _ in
            Answer.text(DecisionService.discovery(base: service.base ?? origin.text), type: "application/json")
        }
    }

    private func answer(
        _ request: Request, _ decide: ([UInt8], String?) -> DecisionService.Answer
    ) async throws -> Response {
        guard let body = try? await request.body.collect(upTo: Self.bodyMost) else {
            return Answer.text("\"The body is too long.\"", type: "application/json", status: .contentTooLarge)
        }
        let made = decide(Array(body.readableBytesView), request.headers[.contentType])
        var response = Answer.text(
            made.body, type: "application/json", status: HTTPResponse.Status(code: made.status))
        if let name = HTTPField.Name("X-Request-ID"), let id = request.headers[name] { response.headers[name] = id }
        return response
    }
}
