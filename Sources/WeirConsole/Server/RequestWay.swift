import NIOCore
import NIOHTTP1

/// Which way the requests of one connection go: short ones of connectors are answered where they arrive, all others
/// by the router. Never both at once, so answers keep the order of their requests.
struct RequestWay {
    private enum State {
        /// Nothing is asked. Can become: `gathering` or `passing`, by the next head.
        case idle
        /// A short request comes in. Can become: `answering`, with its end.
        case gathering(HTTPRequestHead, ByteBuffer)
        /// Its answer is being made. Can become: `idle`, when the answer is there.
        case answering
        /// The router is asked. Can become: `idle`, when all that it was asked has come to its end and was answered.
        case passing(answersDue: Int, isWithinRequest: Bool)
    }

    enum Step {
        /// Goes on to the router.
        case pass
        /// Is kept until the request is whole.
        case keep
        /// The request is whole.
        case answer(HTTPRequestHead, ByteBuffer)
    }

    private var state = State.idle
    private let isShort: (HTTPRequestHead) -> Int?

    /// - Parameter isShort: how many bytes of body follow this head, if it is one to be answered here.
    init(isShort: @escaping (HTTPRequestHead) -> Int?) { self.isShort = isShort }

    var isIdle: Bool { if case .idle = state { true } else { false } }
    /// From the head of a short request to its answer.
    var isHere: Bool {
        switch state {
        case .gathering, .answering: true
        case .idle, .passing: false
        }
    }
    /// What comes now belongs to the next request, and waits.
    var isAnswering: Bool { if case .answering = state { true } else { false } }

    mutating func received(_ part: HTTPServerRequestPart) -> Step {
        switch (state, part) {
        case (.idle, .head(let head)):
            guard let length = isShort(head) else {
                state = .passing(answersDue: 1, isWithinRequest: true)
                return .pass
            }
            // Copied, so that the buffer which the socket was read into is free for the next read.
            state = .gathering(head, ByteBufferAllocator().buffer(capacity: length))
            return .keep
        case (.gathering(let head, var body), .body(let bytes)):
            state = .idle
            body.writeImmutableBuffer(bytes)
            state = .gathering(head, body)
            return .keep
        case (.gathering(let head, let body), .end):
            state = .answering
            return .answer(head, body)
        case (.passing(let due, _), .head):
            state = .passing(answersDue: due + 1, isWithinRequest: true)
            return .pass
        case (.passing(let due, _), .end):
            pass(due, isWithinRequest: false)
            return .pass
        default: return .pass
        }
    }

    /// The answer to a short request is there.
    mutating func answered() { state = .idle }

    /// An answer of the router has come to its end.
    mutating func passed() {
        if case .passing(let due, let isWithinRequest) = state { pass(due - 1, isWithinRequest: isWithinRequest) }
    }

    private mutating func pass(_ due: Int, isWithinRequest: Bool) {
        let isOver = due <= 0 && !isWithinRequest
        state = isOver ? .idle : .passing(answersDue: due, isWithinRequest: isWithinRequest)
    }
}
