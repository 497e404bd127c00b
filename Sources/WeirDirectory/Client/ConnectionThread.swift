import CLdap
import Glibc
import WeirWorld

/// The loop of one connection, on a thread of its own, which alone touches libldap: takes requests, waits for the
/// socket or the inbox, hands answers back, abandons what is late.
// Unchecked: made by one task, handed to its thread whole, and touched there alone.
final class ConnectionThread: @unchecked Sendable {
    private final class Pending {
        let errand: ConnectionInbox.Errand
        let deadline: Moment
        /// Part of the request may still wait to be sent.
        let isLarge: Bool
        var page = EntryPage()
        var referrals: [String] = []

        init(_ errand: ConnectionInbox.Errand, until deadline: Moment) {
            self.errand = errand
            self.deadline = deadline
            isLarge = errand.request.isLarge
        }
    }

    private let handle: LDAPHandle
    private let inbox: ConnectionInbox
    private let time: any TimeSource
    private let answerLimit: Int
    /// By libldap's number.
    private var pending: [Int32: Pending] = [:]
    private var numbers: [UInt64: Int32] = [:]
    private var end: DirectoryFailure?

    init(_ handle: LDAPHandle, _ inbox: ConnectionInbox, _ time: any TimeSource, answerLimit: Int) {
        self.handle = handle
        self.inbox = inbox
        self.time = time
        self.answerLimit = answerLimit
    }

    /// Returns when the connection is over. Everybody who waits has an answer then.
    func run() {
        while end == nil {
            for item in inbox.take() { act(on: item) }
            guard end == nil else { break }
            abandonLate()
            wait()
            drain()
        }
        let reason = end ?? .lost(text: "the connection ended")
        for item in inbox.end() {
            // Not one of these was sent.
            if case .send(let errand) = item {
                errand.reply(.failure(.unreachable(code: "connection_ended", text: "\(reason)")))
            }
        }
        for waiting in pending.values { waiting.errand.reply(.failure(reason)) }
    }

    private func act(on item: ConnectionInbox.Item) {
        switch item {
        case .send(let errand): send(errand)
        case .cancel(let ticket):
            guard let number = numbers[ticket] else { return }
            give(number, .failure(.cancelled), leave: true)
        case .close: end = end ?? .cancelled
        }
    }

    private func send(_ errand: ConnectionInbox.Errand) {
        guard end == nil else {
            return errand.reply(.failure(.unreachable(code: "connection_ended", text: "the connection ended")))
        }
        switch handle.send(errand.request, errand.controls) {
        case .success(let number):
            numbers[errand.ticket] = number
            pending[number] = Pending(errand, until: time.now + errand.limit)
        case .failure(.connectionLost):
            // Part of the request may have gone out before the connection went.
            end = .lost(text: "the connection went while a request was sent")
            errand.reply(.failure(.lost(text: "the connection went while the request was sent")))
        case .failure(.notMade(let words)):
            errand.reply(.failure(.misuse(code: "bad_request", text: words)))
        case .failure(.nul):
            errand.reply(.failure(.misuse(code: "nul_in_name", text: "a name or filter with a NUL in it")))
        }
    }

    private func wait() {
        var watched = [
            pollfd(fd: handle.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var milliseconds: Int64 = -1
        if let next = pending.values.map(\.deadline).min() {
            milliseconds = min(max(0, (next - time.now).nanoseconds / 1_000_000 + 1), 60_000)
        }
        // libldap keeps what the socket did not take and does not say that it does: while a large request is out it is
        // asked again and again.
        if pending.values.contains(where: \.isLarge) { milliseconds = min(milliseconds, 5) }
        poll(&watched, 2, Int32(milliseconds))
    }

    /// Reads all that has come. TLS may hold decrypted bytes that the socket knows nothing of, so libldap is asked
    /// until it has nothing more; after 1,000 messages the inbox has its turn.
    private func drain() {
        for _ in 0..<1_000 {
            var message: OpaquePointer?
            var none = timeval(tv_sec: 0, tv_usec: 0)
            let type = ldap_result(handle.pointer, LDAP_RES_ANY, LDAP_MSG_ONE, &none, &message)
            if type == 0 { return }
            guard type > 0, let message else {
                if end == nil { end = .lost(text: "the server closed the connection") }
                return
            }
            take(message, type)
            ldap_msgfree(message)
            if end != nil { return }
        }
        inbox.wake()
    }

    private func take(_ message: OpaquePointer, _ type: Int32) {
        let reader = AnswerReader(handle: handle.pointer)
        let number = ldap_msgid(message)
        guard number != 0 else {
            // RFC 4511 section 4.4.1: a notice of disconnection; with it the code that says why.
            end = .lost(text: "the server is closing the connection: \(reader.readResult(message)?.sentence ?? "")")
            return
        }
        guard let waiting = pending[number] else { return }  // abandoned
        switch ber_tag_t(type) {
        case LDAP_RES_SEARCH_ENTRY:
            reader.readEntry(message, into: &waiting.page)
            if waiting.page.byteCount > answerLimit {
                give(number, .failure(.tooLarge(limit: answerLimit)), leave: true)
            }
        case LDAP_RES_SEARCH_REFERENCE: waiting.referrals += reader.readReference(message).prefix(10)
        case LDAP_RES_INTERMEDIATE: break
        default:
            guard var answer = reader.readResult(message) else {
                return give(number, .failure(.lost(text: "an answer that cannot be read")), leave: false)
            }
            answer.page = waiting.page
            answer.referrals += waiting.referrals
            give(number, .success(answer), leave: false)
        }
    }

    private func abandonLate() {
        let now = time.now
        for (number, waiting) in pending where waiting.deadline <= now {
            give(number, .failure(.timedOut(after: waiting.errand.limit)), leave: true)
        }
    }

    /// Answers whoever waits, once.
    /// - Parameter leave: the server is told to stop; it may have done it all the same.
    private func give(_ number: Int32, _ result: Result<DirectoryAnswer, DirectoryFailure>, leave: Bool) {
        guard let waiting = pending.removeValue(forKey: number) else { return }
        numbers[waiting.errand.ticket] = nil
        if leave { ldap_abandon_ext(handle.pointer, number, nil, nil) }
        waiting.errand.reply(result)
    }
}
