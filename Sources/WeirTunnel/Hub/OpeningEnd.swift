internal import Foundation
internal import NIOCore

/// The hub's end of a stream until the agent has answered: sends the request, waits for the status byte, and hands the
/// stream on. Nothing of the client is read before.
final class OpeningEnd: StreamEnd {
    private let link: Link
    private var stream: UInt32 = 0
    private var outgoing: ByteBuffer
    private var deadline: Scheduled<Void>?
    /// Called once, on the link's event loop: the target's end is attached before this returns, or the stream reset.
    private var answered: ((Result<UInt32, StreamFailure>) -> Void)?

    /// - Parameter timeout: for the agent's answer.
    init(
        _ request: OpenRequest, on link: Link, timeout: TimeAmount,
        answered: @escaping (Result<UInt32, StreamFailure>) -> Void
    ) {
        self.link = link
        self.answered = answered
        let text = (try? JSONEncoder().encode(request)) ?? Data()
        outgoing = ByteBuffer()
        outgoing.writeInteger(UInt16(clamping: text.count))
        outgoing.writeBytes(text)
        do throws(Session.OpenRefusal) {
            stream = try link.open(self)
        } catch {
            answer(.failure(StreamFailure(error == .draining ? .draining : .busy)))
            return
        }
        link.hasMore(stream)
        deadline = link.loop?.assumeIsolated().scheduleTask(in: timeout) { [weak self] in
            guard let self, self.answered != nil else { return }
            link.reset(self.stream, .connectTimeout)
            self.answer(.failure(StreamFailure(.connectTimeout)))
        }
    }

    private func answer(_ result: Result<UInt32, StreamFailure>) {
        deadline?.cancel()
        let answered = answered
        self.answered = nil
        answered?(result)
    }

    /// The client has gone before the agent has answered.
    func giveUp() {
        guard answered != nil else { return }
        answered = nil
        deadline?.cancel()
        link.reset(stream, .socketReset)
    }

    func accepted() {}

    func received(_ bytes: ByteBuffer) {
        guard answered != nil else { return link.taken(bytes.readableBytes, of: stream) }
        var bytes = bytes
        let status = bytes.readInteger(as: UInt8.self).flatMap(DialStatus.init)
        link.taken(1, of: stream)
        guard let status, status == .connected else {
            link.reset(stream, .unspecified)
            return answer(.failure(StreamFailure(status?.reason ?? .protocolMistake)))
        }
        answer(.success(stream))
        // A target that speaks first: what follows the status belongs to the end that stands there now.
        if bytes.readableBytes > 0 { link.redeliver(bytes, of: stream) }
    }

    func receivedAll() {}
    func finished() {
        link.reset(stream, .unspecified)
        answer(.failure(StreamFailure(.protocolMistake)))
    }
    func reset(_ reason: StreamReason) { answer(.failure(StreamFailure(reason))) }

    var hasBytes: Bool { outgoing.readableBytes > 0 }
    var isDone: Bool { false }
    func next(most: Int) -> ByteBuffer? { outgoing.readSlice(length: min(most, outgoing.readableBytes)) }
    func waitsForCredit(_ waits: Bool) {}
}

/// Why a stream could not be opened.
struct StreamFailure: Error, Sendable, Hashable {
    var reason: StreamReason
    init(_ reason: StreamReason) { self.reason = reason }
}
