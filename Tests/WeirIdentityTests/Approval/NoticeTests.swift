import Logging
import Synchronization
import Testing
import WeirIdentity
import WeirTestKit
import WeirWorld

/// A post office that keeps what it is given, or refuses.
private final class PostOffice: MailCarrier {
    struct State {
        var mails: [MailMessage] = []
        var isClosed = false
        var tries = 0
    }
    let state = Mutex(State())

    func carry(_ message: MailMessage) async throws(MailFailure) {
        let isClosed = state.withLock { state in
            state.tries += 1
            if !state.isClosed { state.mails.append(message) }
            return state.isClosed
        }
        if isClosed { throw MailFailure("closed") }
    }

    var mails: [MailMessage] { state.withLock { $0.mails } }
    var tries: Int { state.withLock { $0.tries } }
    func set(closed: Bool) { state.withLock { $0.isClosed = closed } }
}

@Suite("A notice to approvers")
struct NoticeTests {
    let time = ManualTime()
    private let office = PostOffice()
    let service: ScriptedService
    let notifier: ApprovalNotifier
    let world: World
    let keys: ApprovalKeys
    let mail: MailSettings

    init() {
        let time = time
        var rule = Rule(name: "titles", kind: .update, target: ObjectKind(silo: "ad"))
        rule.review.approvers = ["boss@example.org", "other@example.org"]
        let expires = time.wall + .seconds(72 * 3_600)
        service = ScriptedService(
            now: time.wall, rules: [rule],
            actions: (0..<5).map {
                ScriptedService.action(
                    "a\($0)", who: $0 == 1 ? "<script>alert(1)</script>" : "Person \($0)", isVIP: $0 == 4,
                    created: time.wall, expires: expires)
            })
        world = World(
            time: time, random: SeededRandom(seed: 7), files: SimulatedDisk(seed: 1), blocking: InlineBlocking(),
            log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        keys = ApprovalKeys.made(at: time.wall)
        var mail = MailSettings()
        mail.from = "weir@example.org"
        mail.url = "https://weir.example.org/"
        mail.rowsMost = 3
        self.mail = mail
        notifier = ApprovalNotifier(
            service: service, keys: keys, mail: mail, webhook: nil, carrier: office, http: nil, path: "notices.json",
            world: world)
    }

    @Test("goes once to each recipient, however often it is looked")
    func once() async {
        for _ in 0..<20 { await notifier.look() }
        #expect(office.mails.map(\.to).sorted() == ["boss@example.org", "other@example.org"])
    }

    @Test("holds personal links, VIPs first, three rows and all of them in a file, and no markup of names")
    func contents() async throws {
        await notifier.look()
        let mail = try #require(office.mails.first)
        #expect(!mail.html.contains("<script>") && mail.html.contains("&lt;script&gt;"))
        #expect(mail.html.contains("https://weir.example.org/hypersync/approve?run=run1&amp;rule=titles&amp;t=1."))
        #expect(mail.html.contains("https://weir.example.org/hypersync/reject?action=a4&amp;t=1."))
        #expect(mail.text.contains("\nVIP Person 4: "))
        #expect(mail.text.components("Approve: ") == 3)
        let attachment = try #require(mail.attachment)
        #expect(attachment.content.split(separator: "\r\n").count == 6)
        let other = try #require(office.mails.last)
        #expect(Self.token(mail) != Self.token(other))
        let token = try #require(ApprovalToken(Self.token(mail), keys))
        #expect(token.recipient == mail.to)
    }

    private static func token(_ mail: MailMessage) -> String {
        guard let start = mail.text.firstRange(of: "&t=") else { return "" }
        return String(mail.text[start.upperBound...].prefix { $0 != "\n" })
    }

    @Test("is reminded of once a day, in the same thread, and a new run adds to the episode")
    func reminders() async throws {
        await notifier.look()
        let expires = time.wall + .seconds(200_000)
        let now = time.wall
        service.state.withLock {
            $0.actions.append(ScriptedService.action("b1", run: "run2", created: now, expires: expires))
        }
        time.advance(by: .seconds(3_600))
        await notifier.look()
        #expect(office.mails.count == 2)
        time.advance(by: .seconds(86_400))
        await notifier.look()
        #expect(office.mails.count == 4)
        let reminder = try #require(office.mails.last)
        let first = try #require(office.mails.first { $0.to == reminder.to })
        #expect(reminder.subject.hasPrefix("Reminder: ") && reminder.inReplyTo == first.id)
        #expect(reminder.text.contains("run=run2"))
    }

    @Test("that cannot be sent is tried again, later each time, is shown, and decides nothing")
    func failures() async {
        office.set(closed: true)
        await notifier.look()
        #expect(office.tries == 2 && notifier.book.entries.allSatisfy(\.isFailing))
        await notifier.look()
        #expect(office.tries == 2)
        time.advance(by: .seconds(61))
        await notifier.look()
        #expect(office.tries == 4)
        time.advance(by: .seconds(61))
        await notifier.look()
        #expect(office.tries == 4)
        office.set(closed: false)
        time.advance(by: .seconds(61))
        await notifier.look()
        #expect(office.mails.count == 2 && !notifier.book.entries.contains(where: \.isFailing))
        #expect(service.orders.isEmpty)
    }

    @Test("is not sent again after a restart, and a new episode begins when all was decided")
    func restarts() async throws {
        await notifier.look()
        let again = ApprovalNotifier(
            service: service, keys: keys, mail: mail, webhook: nil, carrier: office, http: nil, path: "notices.json",
            world: world)
        await again.restore()
        await again.look()
        #expect(office.mails.count == 2)
        _ = try await service.decide(
            DecisionOrder(
                verb: .reject, which: .hold(sync: "run1", rule: "titles", exceptVIP: false),
                person: Person(kind: .user, name: "x")))
        await again.look()
        #expect(again.book.entries.isEmpty)
    }

    @Test("cannot be made to hold a header, a part or a formula of somebody else's")
    func injection() async throws {
        let message = MailMessage(
            from: "weir@example.org", to: "boss@example.org", subject: "a\r\nBcc: x@example.org", text: "t", html: "h",
            attachment: ("actions.csv", "x"), id: "1@x", inReplyTo: nil, at: time.wall)
        let text = String(decoding: message.bytes(boundary: "b"), as: UTF8.self)
        #expect(!text.contains("\r\nBcc:"))
        #expect(text.contains("Date: Sat, 21 Nov 2026 12:00:00 +0000"))
        let now = time.wall
        service.state.withLock {
            $0.actions = [ScriptedService.action("c1", who: "=cmd()", created: now, expires: now + .seconds(9))]
            $0.actions.append(ScriptedService.action("c2", who: "a,\"b\"", created: now, expires: now + .seconds(9)))
            for number in 3..<9 {
                $0.actions.append(
                    ScriptedService.action("c\(number)", who: "n", created: now, expires: now + .seconds(9)))
            }
        }
        await notifier.look()
        let file = try #require(office.mails.first?.attachment?.content)
        #expect(file.contains(",'=cmd(),") && file.contains(",\"a,\"\"b\"\"\","))
    }

    @Test("needs its links in templates of one's own")
    func templates() {
        #expect(MailTemplate.complaint("<a href=\"{{approve}}\">yes</a>", .row)?.contains("{{reject}}") == true)
        #expect(MailTemplate.complaint("{{approve}} {{reject}} {{whoo}}", .row)?.contains("{{whoo}}") == true)
        #expect(MailTemplate.complaint("{{ approve_all }}{{reject_all}}", .header) == nil)
        #expect(MailTemplate.complaint(MailTemplate().header, .header) == nil)
        #expect(MailTemplate.complaint(MailTemplate().row, .row) == nil)
        #expect(MailTemplate.complaint(MailTemplate().footer, .footer) == nil)
    }
}

extension String {
    fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
