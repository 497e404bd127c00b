import Logging
import Testing
import WeirIdentity
import WeirTestKit
import WeirWorld

/// What links may do, and what they may not.
@Suite("An approval link")
struct ApprovalDeskTests {
    let time = ManualTime()
    let keys: ApprovalKeys
    let service: ScriptedService
    let desk: ApprovalDesk

    init() {
        let time = time
        keys = ApprovalKeys.made(at: time.wall)
        var login = Rule(name: "leavers", kind: .deprovision, target: ObjectKind(silo: "ad"))
        login.review.approvers = ["boss@example.org"]
        let titles = Rule(name: "titles", kind: .update, target: ObjectKind(silo: "ad"))
        let expires = time.wall + .seconds(72 * 3_600)
        service = ScriptedService(
            now: time.wall, rules: [titles, login],
            actions: [
                ScriptedService.action("a1", created: time.wall, expires: expires),
                ScriptedService.action("a2", who: "<b>Eve</b>", created: time.wall, expires: expires),
                ScriptedService.action("a3", who: "Zoe", isVIP: true, created: time.wall, expires: expires),
                ScriptedService.action("d1", rule: "leavers", created: time.wall, expires: expires),
            ])
        let world = World(
            time: time, random: SeededRandom(seed: 7), files: SimulatedDisk(seed: 1), blocking: InlineBlocking(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        desk = ApprovalDesk(service: service, keys: keys, world: world)
    }

    private func token(
        _ verb: ApprovalVerb = .approve, _ subject: ApprovalSubject = .action("a1"), _ fingerprint: String = "fp-a1",
        life: Int64 = 3_600
    ) -> String {
        ApprovalToken(
            verb: verb, subject: subject, recipient: "boss@example.org", fingerprint: fingerprint,
            expires: time.wall.nanoseconds / 1_000_000_000 + life
        ).text(keys)
    }

    private func visitor(_ token: String?) -> ApprovalVisitor { ApprovalVisitor(isOperator: false, token: token) }
    private let operatorHere = ApprovalVisitor(isOperator: true)

    private func page(_ answer: ApprovalAnswer) -> ApprovalPage? {
        if case .page(let page) = answer { page } else { nil }
    }

    @Test("shows and decides nothing, a thousand times")
    func prefetches() async throws {
        let token = token()
        for _ in 0..<1_000 {
            let shown = page(try await desk.look(.action("a1"), .approve, visitor(token)))
            #expect(shown?.waiting == 1)
        }
        #expect(service.orders.isEmpty)
    }

    @Test("decides by its form, in its recipient's name, bound to what was shown")
    func decides() async throws {
        let token = token()
        let shown = try #require(page(try await desk.look(.action("a1"), .approve, visitor(token))))
        let form = try #require(shown.form)
        let answer = try await desk.decide(
            .action("a1"), .approve, visitor(token), form: form, typed: "", reason: "fits", mutes: false)
        guard case .decided = answer else {
            Issue.record("\(answer)")
            return
        }
        let order = try #require(service.orders.first)
        #expect(order.person.kind == .token && order.person.name == "boss@example.org")
        #expect(order.fingerprint == "fp-a1" && order.reason == "fits")
    }

    @Test("is single: used again it says who decided")
    func replayed() async throws {
        let token = token()
        let form = try #require(page(try await desk.look(.action("a1"), .approve, visitor(token)))?.form)
        _ = try await desk.decide(
            .action("a1"), .approve, visitor(token), form: form, typed: "", reason: "", mutes: false)
        let again = try await desk.decide(
            .action("a1"), .approve, visitor(token), form: form, typed: "", reason: "", mutes: false)
        guard case .gone(let page) = again else {
            Issue.record("\(again)")
            return
        }
        #expect(page.actions.first?.decidedBy?.name == "boss@example.org")
        #expect(service.orders.count == 1)
    }

    @Test("is nothing when a character of it was changed, whichever")
    func tampered() async throws {
        let token = token()
        for place in stride(from: 0, to: token.count, by: 3) {
            var characters = Array(token)
            characters[place] = characters[place] == "A" ? "B" : "A"
            let answer = try await desk.look(.action("a1"), .approve, visitor(String(characters)))
            #expect(page(answer) == nil, "place \(place)")
        }
        #expect(desk.badTokens > 30)
    }

    @Test("works for nothing else: another action, another verb, a whole rule")
    func elsewhere() async throws {
        let token = token()
        #expect(page(try await desk.look(.action("a2"), .approve, visitor(token))) == nil)
        #expect(page(try await desk.look(.action("a1"), .reject, visitor(token))) == nil)
        #expect(page(try await desk.look(.hold(run: "run1", rule: "titles"), .approve, visitor(token))) == nil)
        #expect(page(try await desk.look(.hold(run: "run1", rule: "titles"), nil, visitor(token))) == nil)
    }

    @Test("answers strangers the same for what exists and what does not")
    func strangers() async throws {
        for id in ["a1", "unknown"] {
            guard case .nothing = try await desk.look(.action(id), .approve, visitor(nil)) else {
                Issue.record("\(id)")
                continue
            }
        }
    }

    @Test("tells who tries many wrong ones to wait, and lets good ones in all the same")
    func guessing() async throws {
        var wait = 0
        for number in 0..<100 {
            if case .tooMany = try await desk.look(.action("a1"), .approve, visitor("1.x.y.\(number)")) { wait += 1 }
        }
        #expect(wait == 70)
        #expect(page(try await desk.look(.action("a1"), .approve, visitor(token()))) != nil)
        time.advance(by: .seconds(61))
        guard case .nothing = try await desk.look(.action("a1"), .approve, visitor("1.x.y.z")) else {
            Issue.record("still waiting")
            return
        }
    }

    @Test("only shows when its time is over, or where the rule asks for a sign-in")
    func onlyShows() async throws {
        let old = try #require(page(try await desk.look(.action("a1"), .approve, visitor(token(life: -1)))))
        #expect(old.form == nil && old.asksToSignIn)
        let strict = token(.approve, .action("d1"), "fp-d1")
        let shown = try #require(page(try await desk.look(.action("d1"), .approve, visitor(strict))))
        #expect(shown.form == nil && shown.asksToSignIn)
        let answer = try await desk.decide(
            .action("d1"), .approve, visitor(strict), form: "1.1.a.b.c", typed: "", reason: "", mutes: false)
        guard case .nothing = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(page(try await desk.look(.action("d1"), .approve, operatorHere))?.form != nil)
    }

    @Test("needs the form of its own page: another session's, verb's or hour's decides nothing")
    func forms() async throws {
        let mine = token()
        let form = try #require(page(try await desk.look(.action("a1"), .approve, visitor(mine)))?.form)
        for (subject, verb, who) in [
            (ApprovalSubject.action("a1"), ApprovalVerb.approve, operatorHere),
            (.action("a1"), .reject, visitor(token(.reject))),
        ] {
            let answer = try await desk.decide(
                subject, verb, who, form: form, typed: "", reason: "", mutes: false)
            guard case .lookAgain = answer else {
                Issue.record("\(answer)")
                continue
            }
        }
        time.advance(by: .seconds(3_700))
        let answer = try await desk.decide(
            .action("a1"), .approve, visitor(token()), form: form, typed: "", reason: "", mutes: false)
        guard case .lookAgain = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(service.orders.isEmpty)
    }

    @Test("approves many only with their number typed, VIPs on top, and not when one was decided meanwhile")
    func many() async throws {
        let subject = ApprovalSubject.hold(run: "run1", rule: "titles")
        let shown = try #require(page(try await desk.look(subject, .approve, operatorHere)))
        #expect(shown.waiting == 3 && shown.actions.first?.label == "Zoe")
        let form = try #require(shown.form)
        guard
            case .wrongNumber = try await desk.decide(
                subject, .approve, operatorHere, form: form, typed: "2", reason: "", mutes: false)
        else {
            Issue.record("any number will do")
            return
        }
        _ = try await service.decide(
            DecisionOrder(verb: .reject, which: .action("a1"), person: Person(kind: .user, name: "other")))
        guard
            case .lookAgain = try await desk.decide(
                subject, .approve, operatorHere, form: form, typed: "2", reason: "", mutes: false)
        else {
            Issue.record("decided what was not shown")
            return
        }
        let fresh = try #require(page(try await desk.look(subject, .approve, operatorHere))?.form)
        guard
            case .decided = try await desk.decide(
                subject, .approve, operatorHere, form: fresh, typed: "2", reason: "", mutes: false)
        else {
            Issue.record("not decided")
            return
        }
        #expect(service.orders.count == 2)
    }

    @Test("lets one of two who decide at once win")
    func race() async throws {
        let first = token()
        let second = ApprovalToken(
            verb: .reject, subject: .action("a1"), recipient: "other@example.org", fingerprint: "fp-a1",
            expires: time.wall.nanoseconds / 1_000_000_000 + 600
        ).text(keys)
        let approve = try #require(page(try await desk.look(.action("a1"), .approve, visitor(first)))?.form)
        let reject = try #require(page(try await desk.look(.action("a1"), .reject, visitor(second)))?.form)
        let visitors = (visitor(first), visitor(second))
        async let one = desk.decide(
            .action("a1"), .approve, visitors.0, form: approve, typed: "", reason: "", mutes: false)
        async let two = desk.decide(
            .action("a1"), .reject, visitors.1, form: reject, typed: "", reason: "", mutes: false)
        var decided = 0
        for answer in [try await one, try await two] { if case .decided = answer { decided += 1 } }
        #expect(decided == 1 && service.orders.count == 1)
    }

    @Test("takes no ids that would need escaping")
    func plainIds() async throws {
        for id in ["", "a&b", "a b", "a\"", "../x", String(repeating: "a", count: 200)] {
            guard case .nothing = try await desk.look(.action(id), .approve, operatorHere) else {
                Issue.record("\(id)")
                continue
            }
        }
    }
}
