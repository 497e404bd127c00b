import CLdap
import Glibc
import Synchronization

/// What tasks put in for a connection's thread, and the descriptor that wakes it.
final class ConnectionInbox: Sendable {
    enum Item: Sendable {
        case send(Errand)
        /// Nobody waits for this one any more.
        case cancel(UInt64)
        case close
    }

    /// A request and who waits for its answer.
    struct Errand: Sendable {
        var ticket: UInt64
        var request: DirectoryRequest
        var controls: [DirectoryControl]
        var limit: Duration
        var reply: @Sendable (Result<DirectoryAnswer, DirectoryFailure>) -> Void
    }

    private struct State {
        var items: [Item] = []
        var isOver = false
    }

    private let state = Mutex(State())
    let descriptor: Int32

    init() throws(DirectoryFailure) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard descriptor >= 0 else {
            throw .unreachable(code: "no_descriptors", text: String(cString: strerror(errno)))
        }
    }

    deinit { Glibc.close(descriptor) }

    /// - Returns: false when the thread has ended: nobody will read it.
    func put(_ item: Item) -> Bool {
        let isFirst: Bool? = state.withLock { state in
            guard !state.isOver else { return nil }
            state.items.append(item)
            return state.items.count == 1
        }
        guard let isFirst else { return false }
        if isFirst { wake() }
        return true
    }

    func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    func take() -> [Item] {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock { state in
            defer { state.items = [] }
            return state.items
        }
    }

    /// The thread ends. What was put in until now is handed back, and nothing more is taken.
    func end() -> [Item] {
        state.withLock { state in
            state.isOver = true
            defer { state.items = [] }
            return state.items
        }
    }
}
