import HTTPTypes
import Hummingbird

/// Makes answers of the few kinds that there are.
enum Answer {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        text(try JSONText.encode(value) + "\n", type: "application/json", status: status)
    }

    static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok)
        -> Response
    {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func page(_ markup: Markup, status: HTTPResponse.Status = .ok) -> Response {
        text("<!doctype html>" + markup.text, type: "text/html; charset=utf-8", status: status)
    }

    static func page(_ problem: APIProblem) -> Response {
        page(ProblemPage(problem: problem).markup, status: HTTPResponse.Status(code: problem.status))
    }

    static func problem(_ problem: APIProblem) -> Response {
        let status = HTTPResponse.Status(code: problem.status)
        return (try? json(problem, status: status)) ?? Response(status: status)
    }

    /// After a POST: the browser asks for `path` with GET.
    static func seeOther(_ path: String) -> Response { Response(status: .seeOther, headers: [.location: path]) }
}
