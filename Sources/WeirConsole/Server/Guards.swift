import HTTPTypes
import Hummingbird
import WeirNode

/// Keeps other web pages out of an API without sign-in.
///
/// A page of another site can make this machine's browser ask us anything. It cannot forge `Host` (so a name that was
/// rebound to 127.0.0.1 is refused), nor `Origin` and `Sec-Fetch-Site` (so its POST is refused). Programs send
/// neither and are welcome. Source: OWASP ASVS 5.0, 3.5.1 to 3.5.3 and 3.5.8.
struct RequestGuard<Context: RequestContext>: RouterMiddleware {
    /// Host (and port) under which approval pages are let in, and nothing else.
    var approvalHost: String?

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let authority = request.head.authority, let host = Self.host(of: authority),
            APIAddress.isLoopback(host) || isApproval(request, authority)
        else {
            return Answer.problem(
                APIProblem(
                    421, "wrong_host", "This address is not served here.",
                    detail: "The Host header names \"\(Printable.line(request.head.authority ?? ""))\".",
                    help: "Use http://127.0.0.1 or http://localhost with the port of api.listen."))
        }
        let isPublic = !APIAddress.isLoopback(host)
        if request.method != .get, request.method != .head,
            let refused = Self.refusal(request, authority: authority, isPublic: isPublic)
        {
            return Answer.problem(refused)
        }
        return try await next(request, context)
    }

    /// The pages that mails lead to, and their looks.
    private func isApproval(_ request: Request, _ authority: String) -> Bool {
        guard let approvalHost, authority.lowercased() == approvalHost.lowercased() else { return false }
        let path = request.uri.path
        return path.hasPrefix("/hypersync/") || path == "/console.css" || path == "/icon.svg"
    }

    /// The host in `host:port`, without brackets.
    static func host(of authority: String) -> String? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.count == 1 || Int(parts[1]) != nil else { return nil }
        return parts.first.map { String($0).lowercased() }
    }

    /// - Parameter isPublic: behind a proxy that may bring TLS.
    private static func refusal(_ request: Request, authority: String, isPublic: Bool) -> APIProblem? {
        let site = request.headers[.secFetchSite]
        let origin = request.headers[.origin]
        let isSameSite = site == nil || site == "same-origin"
        let isSameOrigin =
            origin == nil || origin == "http://\(authority)" || (isPublic && origin == "https://\(authority)")
        guard !isSameSite || !isSameOrigin else { return nil }
        return APIProblem(
            403, "cross_origin", "Another web page may not change anything here.",
            detail:
                "Origin \"\(Printable.line(origin ?? "none"))\", Sec-Fetch-Site \"\(Printable.line(site ?? "none"))\".",
            help: "Use the console itself, or a program such as weir or curl.")
    }
}

/// Headers that every answer carries. Source: OWASP ASVS 5.0, chapter 3.4.
enum SecurityFields {
    static let all = [
        ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
        // Not `no-referrer`: with it a browser sends `Origin: null` from our own forms, and they would be refused.
        ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"), ("Cache-Control", "no-store"),
    ]

    static var policy: String {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
            + "trusted-types 'none'"
    }

    static func has(_ name: String) -> Bool { all.contains { $0.0 == name } }
}

/// Puts them on what the router answers.
struct SecurityHeaders<Context: RequestContext>: RouterMiddleware {
    private let fields = SecurityFields.all.compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        for (name, value) in fields where response.headers[name] == nil { response.headers[name] = value }
        return response
    }
}

/// Turns what was thrown into the one shape of an error.
struct ProblemAnswers<Context: RequestContext>: RouterMiddleware {
    let known: KnownPaths

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as APIProblem {
            return Answer.problem(problem)
        } catch let error as HTTPError where error.status == .notFound {
            return notFound(request)
        } catch let error as HTTPError {
            return Answer.problem(APIProblem(error.status.code, "bad_request", error.status.reasonPhrase))
        }
    }

    /// The router has no route for this path and method: one of the two is wrong.
    private func notFound(_ request: Request) -> Response {
        let path = Printable.line(request.uri.path)
        let methods = known.methods(at: request.uri.path).map(\.rawValue)
        var response: Response
        if methods.isEmpty {
            response = Answer.problem(
                APIProblem(
                    404, "no_such_page", "Nothing is served at \(path).",
                    help: "The console is at /, the API is described at /api/v1/openapi.json."))
        } else {
            let allowed = methods.joined(separator: ", ")
            response = Answer.problem(
                APIProblem(
                    405, "method_not_allowed", "\(Printable.line(request.method.rawValue)) is not served at \(path).",
                    help: "Use \(allowed)."))
            response.headers[.allow] = allowed
        }
        return request.method == .head ? response.createHeadResponse() : response
    }
}

extension HTTPField.Name {
    // A constant of RFC 9110's token form, so it is one.
    static let secFetchSite = constant("Sec-Fetch-Site")

    private static func constant(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a header's name") }
        return name
    }
}
