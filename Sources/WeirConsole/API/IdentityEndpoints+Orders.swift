import HTTPTypes
import Hummingbird
import WeirIdentity
import WeirNode

/// What is done: scans, syncs, decisions.
extension IdentityEndpoints {
    var orders: [Endpoint] {
        [scan, accept, start, override]
            + DecisionOrder.Verb.all.flatMap { [decideAction($0), decideReview($0)] }
    }

    private static let silo = Endpoint.Query(name: "silo", meaning: "only this one", kind: .text)
    private static let full = Endpoint.Query(
        name: "full", meaning: "read all, not what changed", range: 0...1, standard: 1)

    private var scan: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/scans", operation: "scan",
            summary: "Reads silos without syncing, and answers when they are read.", query: [Self.silo, Self.full],
            answer: .json(Schema([IdentityAPI.Scan].self)), problems: [400, 404, 409, 503]
        ) { request, _ in
            let silo = try Endpoint.text(Self.silo, of: request)
            let isFull = try Endpoint.value(Self.full, of: request) == 1
            return try Answer.json(
                try await read { try await $0.scan(silo: silo, full: isFull) }.map(IdentityAPI.Scan.init))
        }
    }

    private var accept: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/scans/{id}/accept", operation: "accept_scan",
            summary:
                "Says that a quarantined scan is right: what it found missing is gone. Takes `{\"who\", \"why\"}`.",
            answer: .json(Schema(IdentityAPI.Decided.self)), problems: [400, 404, 409, 503]
        ) { request, context in
            let id = try APIEndpoints.name("id", context)
            let note = try await OrderNote.read(request)
            try await read { try await $0.acceptScan(id, by: Self.person(note), reason: note.why ?? "") }
            return try Answer.json(
                IdentityAPI.Decided(changed: 1, already: 0, text: "The scan is accepted.", waitsForSecond: false))
        }
    }

    /// Whoever reaches the loopback API is an operator; the name is what they say.
    static func person(_ note: OrderNote) -> Person { Person(kind: .user, name: note.who ?? "operator") }

    // MARK: Syncs

    private static let kind = Endpoint.Query(
        name: "kind", meaning: "`full` unless given", kind: .choice(SyncRequest.Kind.allCases.map(\.rawValue)))
    private static let mode = Endpoint.Query(
        name: "mode", meaning: "`preview` unless given: nothing is written or kept",
        kind: .choice(SyncRequest.Mode.allCases.map(\.rawValue)))
    private static let whom = Endpoint.Query(
        name: "identity", meaning: "for `single`: an id, or silo:anchor", kind: .text)
    private static let scans = Endpoint.Query(
        name: "scan", meaning: "read the silos first", range: 0...1, standard: 1)

    private var start: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/syncs", operation: "start_sync",
            summary:
                "Previews or runs a sync. Answers a line whenever it is further on, and what came of it as the last.",
            query: [Self.kind, Self.mode, Self.whom, Self.scans], answer: .lines(Schema(IdentityAPI.SyncLine.self)),
            problems: [400, 404]
        ) { request, _ in
            let wanted = SyncRequest(
                kind: try Endpoint.text(Self.kind, of: request).flatMap { SyncRequest.Kind(rawValue: $0) } ?? .full,
                mode: try Endpoint.text(Self.mode, of: request).flatMap { SyncRequest.Mode(rawValue: $0) } ?? .preview,
                identity: try Endpoint.text(Self.whom, of: request),
                scans: try Endpoint.value(Self.scans, of: request) == 1)
            let access = try access()
            return Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"], body: Self.body(wanted, access))
        }
    }

    /// The sync goes on when the client does not: what is half done would be worse.
    private static func body(_ wanted: SyncRequest, _ access: any IdentityAccess) -> ResponseBody {
        ResponseBody { writer in
            let (steps, progress) = AsyncStream.makeStream(of: SyncProgress.self, bufferingPolicy: .bufferingNewest(8))
            async let last = finish(wanted, access, progress)
            for await step in steps {
                let line = IdentityAPI.SyncLine(progress: IdentityAPI.Progress(step))
                try await writer.write(ByteBuffer(string: try JSONText.encode(line) + "\n"))
            }
            try await writer.write(ByteBuffer(string: try JSONText.encode(await last) + "\n"))
            try await writer.finish(nil)
        }
    }

    private static func finish(
        _ wanted: SyncRequest, _ access: any IdentityAccess, _ progress: AsyncStream<SyncProgress>.Continuation
    ) async -> IdentityAPI.SyncLine {
        defer { progress.finish() }
        do throws(IdentityRefusal) {
            let view = try await access.service.sync(wanted) { progress.yield($0) }
            if wanted.mode == .commit { await access.notify() }
            return IdentityAPI.SyncLine(sync: IdentityAPI.Sync(view))
        } catch {
            return IdentityAPI.SyncLine(problem: IdentityAPI.SyncRefusal(error))
        }
    }

    // MARK: Decisions

    private static let mute = Endpoint.Query(
        name: "mute", meaning: "with reject: not asked again until the change is another one", range: 0...1,
        standard: 0)
    private static let exceptVIP = Endpoint.Query(
        name: "except_vip", meaning: "leave actions on VIPs undecided", range: 0...1, standard: 0)
    private static let shown = Endpoint.Query(
        name: "fingerprint",
        meaning: "of what was seen: an action's fingerprint, a review's digest. Refused when it is another by now",
        kind: .text)

    private func decideAction(_ verb: DecisionOrder.Verb) -> Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/actions/{id}/\(verb.rawValue)", operation: "\(verb.rawValue)_action",
            summary: "\(verb.summary) one action. Takes `{\"who\", \"why\"}`.", query: [Self.mute, Self.shown],
            answer: .json(Schema(IdentityAPI.Decided.self)), problems: [400, 404, 409, 410, 503]
        ) { request, context in
            let id = try APIEndpoints.name("id", context)
            return try await decide(verb, .action(id), request)
        }
    }

    private func decideReview(_ verb: DecisionOrder.Verb) -> Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/reviews/{run}/{rule}/\(verb.rawValue)",
            operation: "\(verb.rawValue)_review",
            summary: "\(verb.summary) all that a rule holds of a run. Takes `{\"who\", \"why\"}`.",
            query: [Self.mute, Self.exceptVIP, Self.shown], answer: .json(Schema(IdentityAPI.Decided.self)),
            problems: [400, 404, 409, 410, 503]
        ) { request, context in
            let run = try APIEndpoints.name("run", context)
            let rule = try APIEndpoints.name("rule", context)
            let exceptVIP = try Endpoint.value(Self.exceptVIP, of: request) == 1
            return try await decide(verb, .hold(sync: run, rule: rule, exceptVIP: exceptVIP), request)
        }
    }

    private func decide(
        _ verb: DecisionOrder.Verb, _ which: DecisionOrder.Which, _ request: Request
    ) async throws -> Response {
        let mutes = try Endpoint.value(Self.mute, of: request) == 1
        let shown = try Endpoint.text(Self.shown, of: request)
        let note = try await OrderNote.read(request)
        let order = DecisionOrder(
            verb: verb, which: which, person: Self.person(note), reason: note.why ?? "", fingerprint: shown,
            mutes: mutes)
        return try Answer.json(IdentityAPI.Decided(try await read { try await $0.decide(order) }))
    }

    // MARK: Override keys

    private static let term = Endpoint.Query(
        name: "term", meaning: "how long it is good", kind: .choice(OverrideOrder.Term.allCases.map(\.rawValue)))
    private static let second = Endpoint.Query(
        name: "second", meaning: "the second person, who agrees", kind: .text)

    private var override: Endpoint {
        Endpoint(
            method: .post, path: "/api/v1/overrides", operation: "issue_override",
            summary: "Issues a key that lifts the 5 % of large silos. Takes `{\"who\", \"why\"}`.",
            query: [Self.term, Self.silo, Self.second], answer: .json(Schema(IdentityAPI.Override.self)),
            problems: [400, 404, 409, 503]
        ) { request, _ in
            guard let term = try Endpoint.text(Self.term, of: request).flatMap({ OverrideOrder.Term(rawValue: $0) })
            else {
                throw APIProblem(
                    400, "bad_parameter", "No term was given.", help: "term=24h, term=7d or term=permanent")
            }
            let silo = try Endpoint.text(Self.silo, of: request)
            let second = try Endpoint.text(Self.second, of: request)
            let note = try await OrderNote.read(request)
            guard let second, !second.isEmpty, second != note.who else {
                throw APIProblem(
                    400, "needs_second", "A second person must agree.", help: "second=NAME, another one than `who`.")
            }
            let order = OverrideOrder(
                term: term, silo: silo, person: Self.person(note), second: Person(kind: .user, name: second),
                reason: note.why ?? "")
            return try Answer.json(IdentityAPI.Override(try await read { try await $0.issueOverride(order) }))
        }
    }
}

extension DecisionOrder.Verb {
    static let all: [DecisionOrder.Verb] = [.approve, .reject, .revoke, .extend]

    var summary: String {
        switch self {
        case .approve: "Approves"
        case .reject: "Rejects"
        case .revoke: "Takes back the approval of"
        case .extend: "Gives more time for"
        }
    }
}
