internal import DequeModule

/// Which of some messages are on their way, and which the broker has taken.
///
/// Several are sent before the first is confirmed; what was not confirmed when a connection ended is sent again over
/// the next, so each arrives at least once.
struct ConfirmWindow: Sendable {
    /// So many may wait for their confirms.
    static let most = 64

    private var waiting: Deque<Int>
    /// In the order of their tags.
    private var inFlight: Deque<(tag: UInt64, message: Int)> = []
    private var tagNext: UInt64 = 1
    private(set) var taken = 0
    /// Refused over this connection; to be sent again later.
    private(set) var refused = 0

    init(count: Int) { waiting = Deque(0..<count) }

    /// All were taken.
    var isDone: Bool { waiting.isEmpty && inFlight.isEmpty }

    /// A new connection: tags begin again.
    mutating func connected() {
        for sent in inFlight.reversed() { waiting.prepend(sent.message) }
        inFlight = []
        tagNext = 1
        refused = 0
    }

    /// The next message to publish; `nil` when none may be sent now.
    mutating func next() -> Int? {
        // After a refusal nothing more is sent: the queue has no room.
        guard inFlight.count < ConfirmWindow.most, refused == 0, let message = waiting.popFirst() else { return nil }
        inFlight.append((tagNext, message))
        tagNext += 1
        return message
    }

    /// Something was sent that is not confirmed yet.
    var isWaiting: Bool { !inFlight.isEmpty }

    mutating func acked(_ tag: UInt64, isMultiple: Bool) { taken += remove(tag, isMultiple).count }

    mutating func nacked(_ tag: UInt64, isMultiple: Bool) {
        let messages = remove(tag, isMultiple)
        refused += messages.count
        for message in messages.reversed() { waiting.prepend(message) }
    }

    private mutating func remove(_ tag: UInt64, _ isMultiple: Bool) -> [Int] {
        let gone = inFlight.filter { $0.tag == tag || (isMultiple && ($0.tag < tag || tag == 0)) }.map(\.message)
        inFlight.removeAll { $0.tag == tag || (isMultiple && ($0.tag < tag || tag == 0)) }
        return gone
    }
}
