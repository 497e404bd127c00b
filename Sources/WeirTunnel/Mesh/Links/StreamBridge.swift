internal import DequeModule
internal import NIOCore
internal import Synchronization

/// One half of a bridge between two streams: what comes in on this one goes out on the other, and the other way round.
/// The two may live on different links and event loops.
///
/// Credit goes through: bytes count as taken here when the other link has sent them. So what is on its way inside a hub
/// is at most a window, and a slow receiver holds its own sender across both links. FIN, RST and its reason go through
/// too.
final class StreamBridge: StreamEnd {
    private let link: Link
    private let stream: UInt32
    /// The other half; gone when this one has nothing more to say or to hear.
    private var other: NIOLoopBound<StreamBridge>?
    private let loop: any EventLoop
    private let bytes: MeshFigures.Bytes
    /// Told once, when this half is over.
    private var atEnd: (() -> Void)?
    private var gathered: [ByteBuffer] = []
    private var pending = Deque<ByteBuffer>()
    /// Sent, and the other half was not told yet.
    private var sent = 0
    /// Received, and not sent by the other half.
    private var untaken = 0
    private var hasInputEnded = false
    private var hasOutputEnded = false
    private var isOver = false

    /// The other half is told at least so often of what was sent, in bytes: a quarter of the smallest window.
    private static let tellMost = 64 << 10

    init(_ link: Link, _ stream: UInt32, loop: any EventLoop, bytes: MeshFigures.Bytes, atEnd: (() -> Void)? = nil) {
        self.link = link
        self.stream = stream
        self.loop = loop
        self.bytes = bytes
        self.atEnd = atEnd
    }

    func join(_ other: NIOLoopBound<StreamBridge>) { self.other = other }

    /// Gives up a half that was never joined, or both.
    func cut(_ reason: StreamReason) {
        guard !isOver else { return }
        link.reset(stream, reason)
        reset(reason)
    }

    private func tell(_ body: @escaping @Sendable (NIOLoopBound<StreamBridge>) -> Void) {
        guard let other else { return }
        other.eventLoop.execute { body(other) }
    }

    // MARK: In

    func accepted() {}

    func received(_ bytes: ByteBuffer) {
        guard !isOver else { return link.taken(bytes.readableBytes, of: stream) }
        untaken += bytes.readableBytes
        gathered.append(bytes)
    }

    func receivedAll() {
        guard !gathered.isEmpty else { return }
        let bytes = gathered
        gathered = []
        tell { $0.value.send(bytes) }
    }

    func finished() {
        receivedAll()
        hasInputEnded = true
        tell { $0.value.finish() }
        settle()
    }

    func reset(_ reason: StreamReason) {
        guard !isOver else { return }
        isOver = true
        pending.removeAll()
        gathered = []
        tell { $0.value.cut(reason) }
        letGo()
    }

    /// The other half has sent them.
    private func taken(_ amount: Int) {
        untaken -= amount
        guard !isOver else { return }
        link.taken(amount, of: stream)
        settle()
    }

    // MARK: Out

    private func send(_ bytes: [ByteBuffer]) {
        guard !isOver else { return }
        pending.append(contentsOf: bytes)
        link.hasMore(stream)
    }

    private func finish() {
        guard !isOver else { return }
        hasOutputEnded = true
        link.hasMore(stream)
        settle()
    }

    var hasBytes: Bool { !pending.isEmpty }
    var isDone: Bool { hasOutputEnded && pending.isEmpty }

    func next(most: Int) -> ByteBuffer? {
        guard var first = pending.popFirst() else { return nil }
        if first.readableBytes > most, let part = first.readSlice(length: most) {
            pending.prepend(first)
            count(part.readableBytes)
            return part
        }
        count(first.readableBytes)
        if pending.isEmpty {
            // The link asks whether this was all after this.
            loop.assumeIsolated().execute { [weak self] in self?.settle() }
        }
        return first
    }

    private func count(_ amount: Int) {
        sent += amount
        guard sent >= Self.tellMost || pending.isEmpty else { return }
        let amount = sent
        sent = 0
        bytes.add(amount)
        tell { $0.value.taken(amount) }
    }

    // Both directions have ended here, and all was passed on: the halves let go of each other.
    private func settle() {
        if hasInputEnded, untaken == 0, isDone { letGo() }
    }

    private func letGo() {
        other = nil
        atEnd?()
        atEnd = nil
    }

    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
}
