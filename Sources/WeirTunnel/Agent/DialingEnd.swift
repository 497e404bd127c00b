internal import Foundation
internal import NIOCore

/// The agent's end of a stream that the hub has opened: reads the request, has the target dialled, answers with one
/// byte, and makes room for the socket's end.
final class DialingEnd: StreamEnd {
    private let link: Link
    private let stream: UInt32
    private var incoming = ByteBuffer()
    private var outgoing = ByteBuffer()
    /// Called once, when the request is whole; answers with `connected` or `failed`.
    private var dial: ((OpenRequest, DialingEnd) -> Void)?
    private var isOver = false
    private var acceptance: Scheduled<Void>?
    private static let acceptAfter = TimeAmount.milliseconds(5)
    /// Takes over when the status has gone out.
    private var successor: (any StreamEnd)?

    init(on link: Link, stream: UInt32, dial: @escaping (OpenRequest, DialingEnd) -> Void) {
        self.link = link
        self.stream = stream
        self.dial = dial
        link.attach(self, to: stream)
        // Mostly the target answers before that, and the acceptance goes with the status; but who waits for a slow
        // target must not count as one whom nobody has taken.
        acceptance = link.loop?.assumeIsolated().scheduleTask(in: Self.acceptAfter) { [weak self] in
            guard let self, !isOver else { return }
            self.link.accept(stream)
        }
    }

    /// True when the stream has ended while the target was dialled: close what was dialled.
    var isGone: Bool { isOver }

    /// The target is there. `end` takes over with the first byte after the request.
    func connected(_ end: any StreamEnd) {
        guard !isOver else { return }
        successor = end
        say(.connected)
    }

    func failed(_ status: DialStatus) {
        guard !isOver else { return }
        say(status)
    }

    private func say(_ status: DialStatus) {
        outgoing.writeInteger(status.rawValue)
        acceptance?.cancel()
        link.accept(stream)
    }

    func accepted() {}

    func received(_ bytes: ByteBuffer) {
        let amount = bytes.readableBytes
        incoming.writeImmutableBuffer(bytes)
        guard dial != nil else { return }
        guard let length = incoming.getInteger(at: incoming.readerIndex, as: UInt16.self) else {
            return link.taken(amount, of: stream)
        }
        guard length <= OpenRequest.lengthMost else { return mistake() }
        // What comes after the request waits for the target, and so for its credit.
        let rest = incoming.readableBytes - 2 - Int(length)
        link.taken(amount - max(0, rest), of: stream)
        guard rest >= 0 else { return }
        incoming.moveReaderIndex(forwardBy: 2)
        let text = incoming.readBytes(length: Int(length)) ?? []
        guard let request = try? JSONDecoder().decode(OpenRequest.self, from: Data(text)) else { return mistake() }
        let dial = dial
        self.dial = nil
        dial?(request, self)
    }

    private func mistake() {
        isOver = true
        link.reset(stream, .protocolMistake)
    }

    func receivedAll() {}

    // A client may have sent all that it has before the target is there; its end of file waits with the bytes.
    private var hasFinished = false
    func finished() { hasFinished = true }
    func reset(_ reason: StreamReason) {
        guard !isOver else { return }
        isOver = true
        successor?.reset(reason)
    }

    var hasBytes: Bool { outgoing.readableBytes > 0 }
    var isDone: Bool { false }

    func next(most: Int) -> ByteBuffer? {
        guard let bytes = outgoing.readSlice(length: min(most, outgoing.readableBytes)) else { return nil }
        // After this turn of the link. What comes until then comes here, so that all of it is handed on in order.
        link.loop?.assumeIsolated().execute { self.handOver() }
        return bytes
    }

    private func handOver() {
        guard !isOver else { return }
        isOver = true
        // A refusal: nothing more after the status.
        guard let successor else { return link.reset(stream, .unspecified) }
        link.attach(successor, to: stream)
        if incoming.readableBytes > 0 { link.redeliver(incoming, of: stream) }
        if hasFinished { link.refinish(stream) }
        link.hasMore(stream)
    }

    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
}
