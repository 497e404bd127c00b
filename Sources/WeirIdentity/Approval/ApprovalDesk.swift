internal import Logging
internal import Synchronization
package import WeirWorld

/// Where links are looked at and forms decide. Knows no HTTP: the console shows what it answers.
///
/// - A GET only shows; mail scanners follow links. A POST decides.
/// - Who may look: an operator at the loopback API, or whoever has a link that was signed here for this verb and this
///   subject. Everybody else gets the same answer as for an id that does not exist.
/// - Who may decide: an operator; the bearer of a link where the rule says `links: token`.
/// - A decision is bound to what the page showed; the state of the action makes it single.
package final class ApprovalDesk: Sendable {
    private let service: any IdentityService
    private let keys: ApprovalKeys
    private let world: World
    private let limit = Mutex(BadTokenLimit())

    package init(service: any IdentityService, keys: ApprovalKeys, world: World) {
        self.service = service
        self.keys = keys
        self.world = world
    }

    /// Links that were not signed here, since start.
    package var badTokens: UInt64 { limit.withLock { $0.total } }

    // MARK: Looking

    /// - Parameter verb: nil for the page that asks which; operators only.
    package func look(
        _ subject: ApprovalSubject, _ verb: ApprovalVerb?, _ visitor: ApprovalVisitor
    ) async throws -> ApprovalAnswer {
        guard let entry = enter(subject, verb, visitor) else { return wrong(visitor) }
        guard let page = try await page(subject, verb, entry) else { return .nothing }
        return page.waiting == 0 ? .gone(page) : .page(page)
    }

    // MARK: Deciding

    /// - Parameters:
    ///   - form: the text that stood on the page.
    ///   - typed: the number of actions, as a person typed it; needed where more than one is approved.
    package func decide(
        _ subject: ApprovalSubject, _ verb: ApprovalVerb, _ visitor: ApprovalVisitor, form text: String,
        typed: String, reason: String, mutes: Bool, exceptVIP: Bool = false
    ) async throws -> ApprovalAnswer {
        guard let entry = enter(subject, verb, visitor) else { return wrong(visitor) }
        guard var page = try await page(subject, verb, entry) else { return .nothing }
        guard page.waiting > 0 else { return .gone(page) }
        guard page.form != nil else { return .nothing }
        let form = ApprovalForm.read(
            text, verb: verb, subject: subject, session: entry.session, keys, at: world.time.wall)
        guard let form, form.fingerprint == page.fingerprint else {
            page.hasChanged = form != nil
            return .lookAgain(page)
        }
        if verb == .approve, page.waiting > 1, Int(typed.trimmed) != page.waiting { return .wrongNumber(page) }
        let which: DecisionOrder.Which =
            switch subject {
            case .action(let id): .action(id)
            case .hold(let run, let rule): .hold(sync: run, rule: rule, exceptVIP: exceptVIP)
            }
        do throws(IdentityRefusal) {
            let result = try await service.decide(
                DecisionOrder(
                    verb: verb == .approve ? .approve : .reject, which: which, person: entry.person,
                    reason: reason, fingerprint: form.fingerprint, mutes: verb == .reject && mutes))
            if result.changed == 0, !result.waitsForSecond {
                // Somebody else was faster.
                guard let now = try? await self.page(subject, verb, entry) else { return .nothing }
                return .gone(now)
            }
            return .decided(result, page)
        } catch {
            switch error.kind {
            case .unknown: return .nothing
            case .notAllowed where !visitor.isOperator: return .nothing
            case .conflict:
                guard let now = try? await self.page(subject, verb, entry) else { return .nothing }
                return now.waiting == 0 ? .gone(now) : .lookAgain(now)
            case .gone:
                guard let now = try? await self.page(subject, verb, entry) else { return .nothing }
                return .gone(now)
            default: return .refused(error)
            }
        }
    }

    // MARK: Who

    private struct Entry {
        var token: ApprovalToken?
        var visitor: ApprovalVisitor
        /// What a form is tied to.
        var session: String
        var person: Person
    }

    /// - Returns: nil for whoever has nothing to show.
    private func enter(
        _ subject: ApprovalSubject, _ verb: ApprovalVerb?, _ visitor: ApprovalVisitor
    ) -> Entry? {
        guard subject.isPlain else { return nil }
        if let text = visitor.token {
            // A link that is wrong is wrong for an operator too: they should know that it was changed.
            guard let verb, let token = ApprovalToken(text, keys), token.verb == verb, token.subject == subject else {
                return nil
            }
            return Entry(
                token: token, visitor: visitor, session: text,
                person: Person(
                    kind: .token, name: token.recipient, address: visitor.address, agent: visitor.agent))
        }
        guard visitor.isOperator else { return nil }
        return Entry(
            token: nil, visitor: visitor, session: "operator",
            person: Person(kind: .user, name: "operator", address: visitor.address, agent: visitor.agent))
    }

    private func wrong(_ visitor: ApprovalVisitor) -> ApprovalAnswer {
        guard visitor.token != nil else { return .nothing }
        let mustWait = limit.withLock { $0.wrong(at: world.time.now) }
        world.log.warning(
            "An approval link was refused: it was not made here, or was changed.",
            metadata: ["client": "\(visitor.address ?? "")"])
        return mustWait ? .tooMany : .nothing
    }

    // MARK: What

    private func page(_ subject: ApprovalSubject, _ verb: ApprovalVerb?, _ entry: Entry) async throws -> ApprovalPage? {
        var page = ApprovalPage(
            subject: subject, verb: verb, actions: [], waiting: 0, recipient: entry.token?.recipient,
            at: world.time.wall)
        switch subject {
        case .action(let id):
            guard let action = try await service.action(id) else { return nil }
            page.actions = [action]
            page.waiting = action.state == .suspended ? 1 : 0
            page.rule = await rule(action.rule)
        case .hold(let run, let rule):
            page.hold = try await service.holds().first { $0.sync == run && $0.rule == rule }
            page.rule = await self.rule(rule)
            page.waiting = page.hold?.suspended ?? 0
            page.actions = try await actions(run, rule, isOpen: page.waiting > 0)
            guard page.hold != nil || !page.actions.isEmpty else { return nil }
        }
        let isOver = entry.token.map { $0.expires <= world.time.wall.nanoseconds / 1_000_000_000 } ?? false
        page.hasChanged = entry.token.map { $0.fingerprint != page.fingerprint } ?? false
        guard page.waiting > 0 else { return page }
        let needsSignIn = (page.rule?.review.links ?? .login) == .login
        page.asksToSignIn = !entry.visitor.isOperator && (needsSignIn || isOver)
        if !page.asksToSignIn, let verb {
            page.form = ApprovalForm(
                verb: verb, subject: subject, session: entry.session, fingerprint: page.fingerprint,
                count: page.waiting
            ).text(keys, at: world.time.wall)
        }
        return page
    }

    private func rule(_ name: String) async -> Rule? { await service.rules().first { $0.rule.name == name }?.rule }

    /// VIPs first, so that nobody approves them unseen.
    private func actions(_ run: String, _ rule: String, isOpen: Bool) async throws -> [ActionView] {
        var filter = ActionFilter()
        filter.sync = run
        filter.rule = rule
        if !isOpen { filter.states = Set(ActionState.allCases) }
        filter.reason = .vip
        let important = try await service.actions(filter, PageRequest(count: ApprovalPage.rowsMost)).items
        filter.reason = nil
        let all = try await service.actions(filter, PageRequest(count: ApprovalPage.rowsMost)).items
        let known = Set(important.map(\.id))
        return Array(
            (important + all.filter { !known.contains($0.id) && $0.isVIP }
                + all.filter { !known.contains($0.id) && !$0.isVIP }).prefix(ApprovalPage.rowsMost))
    }
}

extension ApprovalPage {
    /// What a decision is bound to.
    var fingerprint: String { hold?.digest ?? (actions.count == 1 ? actions[0].fingerprint : "") }
}
