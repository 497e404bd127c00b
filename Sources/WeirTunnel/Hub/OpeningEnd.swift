internal import Foundation
internal import NIOCore

/// The hub's end of a stream until the agent has answered: sends the request, waits for the status byte, and hands the
/// stream on. Nothing of the client is read before.
final class OpeningEnd: StreamEnd {
    private let link: Link
    private var stream: UInt32 = 0
    private var outgoing: ByteBuffer
    /// The next look at the client, or the end of the agent's time.
    private var look: Scheduled<Void>?
    private let mayGiveUp: () -> Bool
    /// Called once, on the link's event loop: the target's end is attached before this returns, or the stream reset.
    /// `nil`: given up.
    private var answered: ((Result<UInt32?, StreamFailure>) -> Void)?

    /// How often it is looked whether the client is still there.
    private static let lookEvery = TimeAmount.milliseconds(250)

    /// - Parameter timeout: for the agent's answer.
    /// - Parameter mayGiveUp: nobody waits for the answer any more. Asked now and then, and when it has come.
    init(
        _ request: OpenRequest, on link: Link, timeout: TimeAmount, mayGiveUp: @escaping () -> Bool = { false },
        answered: @escaping (Result<UInt32?, StreamFailure>) -> Void
    ) {
        self.link = link
        self.mayGiveUp = mayGiveUp
        self.answered = answered
        let text = (try? JSONEncoder().encode(request)) ?? Data()
        outgoing = ByteBuffer()
        outgoing.writeInteger(UInt16(clamping: text.count))
        outgoing.writeBytes(text)
        do throws(Session.OpenRefusal) {
            stream = try link.open(self)
        } catch {
            // A link whose numbers are used up is of no more use: the agent dials the next one.
            if error == .exhausted { link.drain() }
            answer(.failure(StreamFailure(error == .busy ? .busy : .draining)))
            return
        }
        link.hasMore(stream)
        if let loop = link.loop { lookLater(until: loop.now + timeout, on: loop) }
    }

    private func lookLater(until deadline: NIODeadline, on loop: any EventLoop) {
        let next = min(deadline, loop.now + Self.lookEvery)
        look = loop.assumeIsolated().scheduleTask(deadline: next) { [weak self] in
            guard let self, answered != nil else { return }
            if mayGiveUp() { return giveUp() }
            guard loop.now >= deadline else { return lookLater(until: deadline, on: loop) }
            link.reset(stream, .connectTimeout)
            answer(.failure(StreamFailure(.connectTimeout)))
        }
    }

    private func answer(_ result: Result<UInt32?, StreamFailure>) {
        look?.cancel()
        let answered = answered
        self.answered = nil
        answered?(result)
    }

    // The target is reset as the client was.
    private func giveUp() {
        link.reset(stream, .socketReset)
        answer(.success(nil))
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
        if mayGiveUp() { return giveUp() }
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
    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
}

/// Why a stream could not be opened.
struct StreamFailure: Error, Sendable, Hashable {
    var reason: StreamReason
    init(_ reason: StreamReason) { self.reason = reason }
}
