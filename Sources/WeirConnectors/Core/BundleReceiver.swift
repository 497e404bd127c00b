import NIOCore
import Synchronization
import WeirStore
import WeirWorld

/// A bundle whose bytes are coming: in memory as long as it is small, then in a file of the spool.
final class BundleReceiver: BundleReception {
    struct State {
        var gathered = ByteBuffer()
        var writing: BundleSpool.Writing?
        var bytes: Int64 = 0
        /// Of the connector's level; follows `bytes` where the sender did not say how many will come.
        var reserved: Int64
        /// Finds the work in a queue message whose work nobody named; `nil` when it is no message, or none can be read.
        var finder: WorkFinder?
        var isOver = false
        /// When the slot was told last that bytes come.
        var touched: Moment
    }

    /// A long bundle that still comes says so this often.
    private static let touchEvery = Duration.seconds(10)

    private let head: BundleHead
    private let queue: WorkQueue
    private let door: PushDoor
    private let deadline: Moment?
    private let runEnd: RunEnd?
    private let done: @Sendable () -> Void
    private let state: Mutex<State>

    /// - Precondition: the queue is in use; the receiver ends that.
    /// - Parameter done: called when the bundle is in the queue.
    init(
        _ head: BundleHead, reserved: Int64, queue: WorkQueue, door: PushDoor, deadline: Moment?, runEnd: RunEnd?,
        done: @escaping @Sendable () -> Void
    ) {
        self.done = done
        self.head = head
        self.queue = queue
        self.door = door
        self.deadline = deadline
        self.runEnd = runEnd
        let finds = head.encoding == .message && head.work == nil
        state = Mutex(
            State(reserved: reserved, finder: finds ? WorkFinder() : nil, touched: door.world.time.now))
    }

    func write(_ bytes: ByteBuffer) async throws(ConnectorFailure) {
        let now = door.world.time.now
        let (isLarge, more, isNews) = state.withLock { state -> (Bool, Int64, Bool) in
            state.finder?.feed(bytes)
            state.bytes += Int64(bytes.readableBytes)
            state.gathered.writeImmutableBuffer(bytes)
            let more = max(0, state.bytes - state.reserved)
            state.reserved += more
            let isNews = more > 0 || now - state.touched > Self.touchEvery
            if isNews { state.touched = now }
            return (state.writing != nil || state.gathered.readableBytes > door.settings.spoolFrom, more, isNews)
        }
        if isNews {
            let wall = door.world.time.wall
            door.book.withSlot(head.connector) { slot, _ in
                slot.reserve(more)
                slot.movedAt = wall
            }
        }
        if isLarge { try await spill() }
    }

    /// Moves what was gathered to the file, made when it is the first.
    private func spill() async throws(ConnectorFailure) {
        try await door.persistently(head.connector, until: deadline) { [self] () throws(StoreFailure) in
            var writing = state.withLock { $0.writing }
            if writing == nil {
                writing = try await queue.spool.begin(String(door.world.random.next(), radix: 16) + ".bundle")
                state.withLock { $0.writing = writing }
            }
            guard let writing else { return }
            let gathered = state.withLock { $0.gathered }
            try await queue.spool.write(gathered, to: writing)
            state.withLock { state in
                state.writing?.length += Int64(gathered.readableBytes)
                state.gathered.clear()
            }
        }
    }

    func finish(work named: WorkID?) async throws(ConnectorFailure) {
        let told = named ?? head.work ?? state.withLock { $0.finder?.work }
        // pycti 6.4 names no work where it pushes by the API: then it is that of the run that goes on.
        let work = told ?? (head.encoding == .stix ? door.book.with { $0.works.running(of: head.connector) } : nil)
        let body: WorkRecord.Body
        do throws(ConnectorFailure) {
            if state.withLock({ $0.writing != nil && $0.gathered.readableBytes > 0 }) { try await spill() }
            if let writing = state.withLock({ $0.writing }) {
                // Not tried again: after a failed sync nobody knows what the file has. The sender has it all.
                do throws(StoreFailure) { try await queue.spool.finish(writing) } catch {
                    throw ConnectorFailure(error)
                }
                body = .spooled(head.encoding, file: writing.name)
            } else {
                body = .inline(head.encoding, state.withLock { $0.gathered })
            }
            for work in Set([work, runEnd?.work].compactMap(\.self)) { await door.book.load(work) }
            let (bytes, reserved) = state.withLock { ($0.bytes, $0.reserved) }
            let record = WorkRecord(body: body, work: work, bytes: bytes, runEnd: runEnd)
            try await door.persistently(head.connector, until: deadline) { [queue] () throws(StoreFailure) in
                try await queue.append(record, reserved: reserved)
            }
            state.withLock { $0.reserved = 0 }
            if told == nil, let work { fulfil(work) }
        } catch {
            await end(isHandleOpen: false)
            throw error
        }
        state.withLock { $0.isOver = true }
        queue.endUse()
        done()
    }

    /// pycti 6.4 announces as many messages as it would send by AMQP, and then pushes them as one bundle: whatever was
    /// announced until now has come.
    private func fulfil(_ work: WorkID) {
        let wall = door.world.time.wall
        door.book.withSlot(head.connector) { slot, state in
            state.works.change(work, at: wall) { $0.expected = min($0.expected, $0.pushed) }
            slot.isDirty = true
        }
    }

    func abandon() async { await end(isHandleOpen: true) }

    private func end(isHandleOpen: Bool) async {
        let (isFirst, reserved, writing) = state.withLock { state in
            defer {
                state.isOver = true
                state.reserved = 0
                state.gathered = ByteBuffer()
            }
            return (!state.isOver, state.reserved, state.writing)
        }
        guard isFirst else { return }
        door.book.withSlot(head.connector) { slot, _ in slot.reserve(-reserved) }
        if let writing { await queue.spool.abandon(writing, isOpen: isHandleOpen) }
        queue.endUse()
    }
}
