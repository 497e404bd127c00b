import HTTPTypes
import Hummingbird
import WeirNode

/// `/graphql`: where connectors written for OpenCTI come in. The body is handed on while it comes, so its length is
/// the door's business.
struct OpenCTIEndpoint: Sendable {
    static let path = "/graphql"

    let connectors: any ConnectorAccess

    func add(to router: Router<BasicRequestContext>) {
        router.post(RouterPath(Self.path)) { request, _ in await answer(request) }
    }

    private func answer(_ request: Request) async -> Response {
        let headers = request.headers
        let answer = await connectors.answerOpenCTI(
            method: request.method.rawValue,
            header: { name in HTTPField.Name(name).flatMap { headers[$0] } }, body: request.body)
        var fields = HTTPFields()
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: fields,
            body: ResponseBody(byteBuffer: answer.body))
    }
}
