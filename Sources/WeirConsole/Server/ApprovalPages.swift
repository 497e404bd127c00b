import HTTPTypes
import Hummingbird
import WeirIdentity
import WeirNode

/// `/hypersync/…`: the pages that mailed and hand-built links lead to. GET and HEAD only show, POST decides.
///
/// A token in the address becomes a cookie at once, and the browser is sent on without it, so that it stays in no
/// history, log or referrer. `SameSite=Lax`, not `Strict`: a mail is opened from another site, and a strict cookie
/// would not come along on that very step. A POST from elsewhere does not get it either way, is refused by `Origin`,
/// and lacks the form's own code.
struct ApprovalPages: Sendable {
    let identity: any IdentityAccess

    func add(to router: Router<BasicRequestContext>) {
        router.get("/hypersync/{what}") { request, context in await show(request, context) }
        router.post("/hypersync/{what}") { request, context in await decide(request, context) }
    }

    private static let life = 3_600

    /// What a path and its query ask for.
    private struct Wanted {
        var subject: ApprovalSubject
        /// Nil for the page that asks which of the two.
        var verb: ApprovalVerb?

        var path: String {
            if let verb { return ApprovalLink.path(verb, subject) }
            if case .hold(let run, let rule) = subject { return ApprovalLink.path(asking: run, rule: rule) }
            return ApprovalLink.folder
        }

        /// One cookie for each link: two that are open beside each other keep apart.
        var cookie: String {
            var print = StructurePrint()
            print.add([verb?.rawValue ?? "", subject.query])
            return "weir_approval_\(print.text)"
        }
    }

    private func wanted(_ request: Request, _ context: BasicRequestContext) -> (Wanted, token: String?)? {
        guard let what = context.parameters.get("what").flatMap({ PathSegment.decode($0) }) else { return nil }
        let query = FormFields(request.uri.query ?? "")
        let token = query.has("t") ? query["t"] : nil
        if let verb = ApprovalVerb(rawValue: what) {
            let subject: ApprovalSubject =
                query.has("action") ? .action(query["action"]) : .hold(run: query["run"], rule: query["rule"])
            return subject.isPlain ? (Wanted(subject: subject, verb: verb), token) : nil
        }
        // As it was printed: `/hypersync/run=RUN&rule=RULE`, with no question mark.
        let parts = FormFields(what)
        let subject = ApprovalSubject.hold(run: parts["run"], rule: parts["rule"])
        return subject.isPlain ? (Wanted(subject: subject, verb: nil), token) : nil
    }

    private func visitor(_ request: Request, token: String?) -> ApprovalVisitor {
        ApprovalVisitor(
            isOperator: isOperator(request), token: token,
            address: request.headers[.forwardedFor].map { String(Printable.line($0).prefix(100)) },
            agent: request.headers[.userAgent].map { String(Printable.line($0).prefix(200)) })
    }

    /// Who reaches the loopback address by itself. What a proxy brings in is from elsewhere, whatever host it names.
    private func isOperator(_ request: Request) -> Bool {
        guard let host = request.head.authority.flatMap({ RequestGuard<BasicRequestContext>.host(of: $0) }) else {
            return false
        }
        let isForwarded = [HTTPField.Name.forwardedFor, .forwarded, .forwardedHost, .via].contains {
            request.headers[$0] != nil
        }
        return APIAddress.isLoopback(host) && !isForwarded
    }

    private func cookie(_ request: Request, _ name: String) -> String? {
        for header in request.headers[values: .cookie] {
            for part in header.split(separator: ";") {
                let sides = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if sides.count == 2, sides[0] == name { return String(sides[1]) }
            }
        }
        return nil
    }

    // MARK: Showing

    private func show(_ request: Request, _ context: BasicRequestContext) async -> Response {
        guard let (wanted, token) = wanted(request, context) else { return answer(.nothing, wanted: nil) }
        do {
            let shown = token ?? cookie(request, wanted.cookie)
            let found = try await identity.desk.look(wanted.subject, wanted.verb, visitor(request, token: shown))
            if let token, case .page = found { return sendOn(wanted, token) }
            return answer(found, wanted: wanted)
        } catch {
            return unavailable(error)
        }
    }

    private func sendOn(_ wanted: Wanted, _ token: String) -> Response {
        var response = Answer.seeOther(wanted.path)
        let secure = identity.isApprovalSecure ? "; Secure" : ""
        response.headers[.setCookie] =
            "\(wanted.cookie)=\(token); Path=\(ApprovalLink.folder); Max-Age=\(Self.life); HttpOnly; "
            + "SameSite=Lax\(secure)"
        response.headers[.referrerPolicy] = "no-referrer"
        response.headers[.robots] = "noindex, nofollow"
        return response
    }

    // MARK: Deciding

    private func decide(_ request: Request, _ context: BasicRequestContext) async -> Response {
        guard let (wanted, token) = wanted(request, context), let verb = wanted.verb else {
            return answer(.nothing, wanted: nil)
        }
        do {
            let fields = try await FormFields.read(request)
            // Not from the address: a link that is posted to must not decide.
            let shown = token == nil ? cookie(request, wanted.cookie) : ""
            let result = try await identity.desk.decide(
                wanted.subject, verb, visitor(request, token: shown), form: fields["form"], typed: fields["count"],
                reason: String(Printable.line(fields["why"]).prefix(ConnectorEndpoints.whyMost)),
                mutes: fields.has("mute"))
            return answer(result, wanted: wanted)
        } catch let problem as APIProblem {
            return Answer.page(problem)
        } catch {
            return unavailable(error)
        }
    }

    // MARK: Answers

    private func answer(_ answer: ApprovalAnswer, wanted: Wanted?) -> Response {
        var response =
            switch answer {
            case .page(let page): Answer.page(ApprovalView(page: page).markup)
            case .decided(let result, let page): Answer.page(ApprovalView(page: page, result: result).markup)
            case .gone(let page): Answer.page(ApprovalView(page: page).markup, status: .gone)
            case .lookAgain(let page):
                Answer.page(
                    ApprovalView(
                        page: page, remark: "Nothing was decided: this is not what you were shown. Look again."
                    )
                    .markup, status: .conflict)
            case .wrongNumber(let page):
                Answer.page(
                    ApprovalView(page: page, remark: "Nothing was decided: the number of actions was not typed.")
                        .markup,
                    status: .badRequest)
            case .refused(let refusal):
                Answer.page(
                    ApprovalView.note("Not done", refusal.text),
                    status: HTTPResponse.Status(code: IdentityEndpoints.problem(refusal).status))
            case .nothing:
                Answer.page(
                    ApprovalView.note(
                        "Nothing to decide here",
                        "The link is not complete, is not for you, or names something that does not exist. Links in "
                            + "mails are personal; without one, decide at the console on Weir's own machine, or with "
                            + "`weir approve` there."), status: .notFound)
            case .tooMany:
                Answer.page(
                    ApprovalView.note("Too many wrong links", "Wait a minute."), status: .tooManyRequests)
            }
        response.headers[.robots] = "noindex, nofollow"
        return response
    }

    private func unavailable(_ error: any Error) -> Response {
        Answer.page(
            ApprovalView.note("Not now", "What is held could not be read. Nothing was decided; try again later."),
            status: .serviceUnavailable)
    }
}

extension HTTPField.Name {
    // Constants of RFC 9110's token form, so they are names.
    fileprivate static let forwardedFor = named("X-Forwarded-For")
    fileprivate static let forwardedHost = named("X-Forwarded-Host")
    fileprivate static let forwarded = named("Forwarded")
    fileprivate static let via = named("Via")
    fileprivate static let referrerPolicy = named("Referrer-Policy")
    fileprivate static let robots = named("X-Robots-Tag")

    private static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a header's name") }
        return name
    }
}
