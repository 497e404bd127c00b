package import WeirWorld

/// Who was told what, and when next: one mail for an episode and recipient, one reminder a day, and retries that wait
/// longer each time. A value: it is told what holds there are and what became of a mail, and says what to send.
///
/// An episode begins when a rule holds actions and ends when it holds none. What a later run adds belongs to it: it
/// comes with the next reminder, not with a mail of its own.
package struct NoticeBook: Sendable, Codable, Hashable {
    package struct Entry: Sendable, Codable, Hashable {
        package var rule: String
        package var recipient: String
        /// When the episode began.
        var began: WallTime
        /// Mails that were taken.
        package var sent = 0
        package var lastSent: WallTime?
        /// Failures since the last that was taken.
        package var failures = 0
        package var nextTry: WallTime
        package var lastFailure: String?

        package var isFailing: Bool { failures > 0 }
    }

    /// One mail to send.
    package struct Due: Sendable, Hashable {
        package var rule: String
        package var recipient: String
        package var isReminder: Bool
        /// Names the mail, the same when it is tried again.
        package var mark: String
        /// That of the episode's first mail.
        package var thread: String
    }

    static let reminderEvery = Duration.seconds(86_400)
    /// 1, 2, 4, … minutes, at the most an hour.
    static func wait(afterFailures count: Int) -> Duration { .seconds(min(60 << min(max(count - 1, 0), 6), 3_600)) }

    package private(set) var entries: [Entry] = []

    package init() {}

    /// - Parameters:
    ///   - rules: those that hold something now.
    ///   - recipients: who is asked about a rule.
    /// - Returns: what to send now, and whether the book has changed.
    package mutating func look(
        _ rules: Set<String>, recipients: (String) -> [String], at now: WallTime
    ) -> (due: [Due], hasChanged: Bool) {
        let before = entries
        var due: [Due] = []
        entries.removeAll { !rules.contains($0.rule) || !recipients($0.rule).contains($0.recipient) }
        for rule in rules.sorted() {
            for recipient in recipients(rule) {
                if !entries.contains(where: { $0.rule == rule && $0.recipient == recipient }) {
                    let began = entries.first { $0.rule == rule }?.began ?? now
                    entries.append(Entry(rule: rule, recipient: recipient, began: began, nextTry: now))
                }
                guard let entry = entries.first(where: { $0.rule == rule && $0.recipient == recipient }),
                    entry.nextTry <= now
                else { continue }
                let episode = "\(entry.rule).\(entry.began.nanoseconds / 1_000_000_000)"
                due.append(
                    Due(
                        rule: rule, recipient: recipient, isReminder: entry.sent > 0,
                        mark: "\(episode).\(entry.sent)", thread: "\(episode).0"))
            }
        }
        return (due, entries != before)
    }

    package mutating func taken(_ due: Due, at now: WallTime) {
        change(due) { entry in
            entry.sent += 1
            entry.lastSent = now
            entry.failures = 0
            entry.lastFailure = nil
            entry.nextTry = now + Self.reminderEvery
        }
    }

    package mutating func failed(_ due: Due, _ text: String, at now: WallTime) {
        change(due) { entry in
            entry.failures += 1
            entry.lastFailure = text
            entry.nextTry = now + Self.wait(afterFailures: entry.failures)
        }
    }

    private mutating func change(_ due: Due, _ body: (inout Entry) -> Void) {
        guard let place = entries.firstIndex(where: { $0.rule == due.rule && $0.recipient == due.recipient }) else {
            return
        }
        body(&entries[place])
    }
}
