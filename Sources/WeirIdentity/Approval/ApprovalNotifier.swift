package import AsyncHTTPClient
internal import FoundationEssentials
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import WeirSettings
internal import WeirStore
package import WeirWorld

/// Tells approvers what waits for them, by mail and webhook. It only reads: whatever becomes of a mail, no decision
/// changes. What was sent is kept in `notices.json`, so that a restart does not send it again.
package final class ApprovalNotifier: Sendable {
    /// The webhook's name among the recipients.
    static let webhook = "webhook"
    /// Between two looks at what is held.
    static let lookEvery = Duration.seconds(5)

    private let service: any IdentityService
    private let keys: ApprovalKeys
    private let mail: MailSettings?
    private let hook: ApprovalWebhookSettings?
    private let carrier: (any MailCarrier)?
    private let http: HTTPClientSender?
    private let file: AtomicFile
    private let world: World
    private let lane: any BlockingLane
    private let state = Mutex(NoticeBook())

    /// - Parameters:
    ///   - path: of `notices.json`.
    ///   - carrier: nil where there is no mail server.
    package init(
        service: any IdentityService, keys: ApprovalKeys, mail: MailSettings?, webhook: ApprovalWebhookSettings?,
        carrier: (any MailCarrier)?, http: HTTPClientSender?, path: String, world: World
    ) {
        self.service = service
        self.keys = keys
        self.mail = mail
        hook = webhook
        self.carrier = carrier
        self.http = http
        self.world = world
        file = AtomicFile(path: path, files: world.files)
        lane = world.blocking.lane("notices")
    }

    deinit { lane.close() }

    /// Who was told, and what could not be sent.
    package var book: NoticeBook { state.withLock { $0 } }

    /// Looks again and again, until the task is cancelled.
    package func run() async {
        await restore()
        while !Task.isCancelled {
            await look()
            do { try await world.time.sleep(for: Self.lookEvery) } catch { return }
        }
    }

    /// Reads what was sent before. A file that cannot be read costs a second mail, nothing else.
    package func restore() async {
        let file = file
        guard let bytes = try? await lane.run({ try file.read() }).map({ Data($0.readableBytesView) }) else { return }
        do {
            let book = try JSONDecoder().decode(NoticeBook.self, from: bytes)
            state.withLock { $0 = book }
        } catch {
            world.log.warning(
                "What was mailed before is not known: approvers may get a mail twice.", metadata: ["error": "\(error)"])
        }
    }

    /// Sends what is due now.
    package func look() async {
        guard let holds = try? await service.holds() else { return }
        let rules = Dictionary(
            await service.rules().map { ($0.rule.name, $0.rule) }, uniquingKeysWith: { first, _ in first })
        let now = world.time.wall
        let (due, hasChanged) = state.withLock { book in
            book.look(
                Set(holds.filter { $0.suspended > 0 }.map(\.rule)), recipients: { recipients(rules[$0]) }, at: now)
        }
        if hasChanged { await keep() }
        for one in due {
            guard let rule = rules[one.rule] else { continue }
            let failure = await send(one, rule, holds.filter { $0.rule == rule.name && $0.suspended > 0 })
            let at = world.time.wall
            state.withLock { book in
                if let failure { book.failed(one, failure, at: at) } else { book.taken(one, at: at) }
            }
            if let failure {
                world.log.error(
                    "Approvers could not be told; it is tried again.",
                    metadata: ["rule": "\(one.rule)", "recipient": "\(one.recipient)", "error": "\(failure)"])
            }
            await keep()
        }
    }

    private func recipients(_ rule: Rule?) -> [String] {
        var names = carrier == nil ? [] : rule?.review.approvers ?? []
        if hook != nil, http != nil { names.append(Self.webhook) }
        return names
    }

    private func keep() async {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let bytes = try? encoder.encode(book) else { return }
        let file = file
        do {
            try await lane.run { try file.write(Array(bytes)) }
        } catch {
            world.log.warning("What was mailed could not be kept.", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: what went wrong, in words.
    private func send(_ due: NoticeBook.Due, _ rule: Rule, _ holds: [HoldView]) async -> String? {
        let notice: HoldNotice
        do {
            notice = try await self.notice(due, rule, holds)
        } catch {
            return "What is held could not be read: \(error)"
        }
        if due.recipient == Self.webhook {
            guard let hook, let http else { return nil }
            return await http.post(notice.json, to: hook.url, token: hook.token.text, timeout: hook.timeout)
        }
        guard let mail, let carrier else { return nil }
        let template = mail.template
        let host = mail.from.split(separator: "@").last.map(String.init) ?? "weir"
        // The recipient's part keeps two mails of one episode apart.
        let mark = MailMessage.mark(due.recipient)
        let message = MailMessage(
            from: mail.from, to: due.recipient, subject: notice.subject(template), text: notice.text(keys),
            html: notice.html(template, keys),
            attachment: notice.count > notice.rows.count ? ("actions.csv", notice.csv) : nil,
            id: "weir.\(due.mark).\(mark)@\(host)",
            inReplyTo: due.isReminder ? "weir.\(due.thread).\(mark)@\(host)" : nil, at: world.time.wall)
        do throws(MailFailure) {
            try await carrier.carry(message)
            return nil
        } catch {
            return error.text
        }
    }

    /// Rows of the file; a person does not read more, and the console has all.
    static let fileMost = 20_000

    private func notice(_ due: NoticeBook.Due, _ rule: Rule, _ holds: [HoldView]) async throws -> HoldNotice {
        let most = mail?.rowsMost ?? 200
        var filter = ActionFilter()
        filter.rule = rule.name
        filter.reason = .vip
        var rows = try await service.actions(filter, PageRequest(count: most)).items
        filter.reason = nil
        let total = holds.reduce(0) { $0 + $1.suspended }
        var all: [ActionView] = []
        var after: String?
        // The file holds all, the mail only the first.
        repeat {
            let page = try await service.actions(filter, PageRequest(after: after, count: 1_000))
            all += page.items
            after = page.next
        } while after != nil && total > most && all.count < Self.fileMost
        let known = Set(rows.map(\.id))
        let others = all.filter { !known.contains($0.id) }
        rows = Array((rows + others.filter(\.isVIP) + others.filter { !$0.isVIP }).prefix(most))
        return HoldNotice(
            rule: rule, holds: holds, rows: rows, all: all, recipient: due.recipient,
            base: mail?.base ?? "", isReminder: due.isReminder)
    }
}

extension MailSettings {
    /// With its own words where there are none.
    var template: MailTemplate {
        var template = MailTemplate()
        if let subject = templates.subject { template.subject = subject }
        if let header = templates.header { template.header = header }
        if let row = templates.row { template.row = row }
        if let footer = templates.footer { template.footer = footer }
        return template
    }

    /// `url` without a slash at its end.
    package var base: String { url.hasSuffix("/") ? String(url.dropLast()) : url }
}

/// Posts a document.
package struct HTTPClientSender: Sendable {
    private let client: HTTPClient

    package init(_ client: HTTPClient) { self.client = client }

    /// - Returns: what went wrong, in words; nil when it was taken.
    func post(_ json: String, to url: String, token: String, timeout: Duration) async -> String? {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if !token.isEmpty { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = .bytes(ByteBuffer(string: json))
        do {
            let response = try await client.execute(request, timeout: .nanoseconds(timeout.nanoseconds))
            _ = try? await response.body.collect(upTo: 65_536)
            return (200..<300).contains(response.status.code)
                ? nil : "The webhook answered \(response.status.code) \(response.status.reasonPhrase)."
        } catch {
            return "The webhook could not be called: \(error)."
        }
    }
}
