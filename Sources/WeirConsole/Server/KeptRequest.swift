import NIOCore
import NIOHTTP1
import WeirWires
import WeirWorld

/// The last request of one connection as its bytes, and what it was answered. Most of what a connector sends is the
/// same ping, every 40 s: the bytes alone tell what is asked. On the connection's event loop only.
final class KeptRequest {
    /// Longer requests are read each time. Memory of each connection of a connector.
    static let bytesMost = 4 * 1_024

    private enum State {
        /// Between two requests. Can become: `reading`, by the next bytes that are not the known request.
        case between
        /// These bytes came since. Can become: `between`, when they were exactly one request and it is answered;
        /// `lost`, when they are too many, or were something else.
        case reading(ByteBuffer)
        /// Where the next request begins is not known here. Stays so.
        case lost
    }

    private struct Known {
        var request: ByteBuffer
        var answer: RawAnswer
        var again: @Sendable () -> Bool
    }

    private let dates: HTTPDateCache
    private var state = State.between
    private var known: Known?

    init(dates: HTTPDateCache) { self.dates = dates }

    /// - Parameter mayAnswer: whether a known request may be answered here.
    /// - Returns: the answer to these bytes, where they are the request that is known and all is as it was then.
    ///   `nil` where they are to be read as any others.
    func answer(to bytes: ByteBuffer, mayAnswer: Bool, at wall: WallTime) -> ByteBuffer? {
        if mayAnswer, case .between = state, let known, known.request == bytes, known.again() {
            return known.answer.bytes(date: dates.text(at: wall))
        }
        keep(bytes)
        return nil
    }

    private func keep(_ bytes: ByteBuffer) {
        var read = ByteBuffer()
        switch state {
        case .between: break
        case .reading(let before): read = before
        case .lost: return
        }
        guard read.readableBytes + bytes.readableBytes <= Self.bytesMost else { return lose() }
        // Copied: the buffer which the socket was read into is free for the next read.
        read.writeImmutableBuffer(bytes)
        state = .reading(read)
    }

    /// Whatever comes is no short request.
    func lose() {
        state = .lost
        known = nil
    }

    /// A short request was answered.
    /// - Parameter length: of its body.
    func answered(_ parts: ShortDoor.Parts, bodyLength: Int) {
        guard case .reading(let request) = state, request.isWhole(bodyLength: bodyLength) else { return lose() }
        state = .between
        known = parts.again.map { Known(request: request, answer: RawAnswer(parts.head, parts.body), again: $0) }
    }
}

extension ByteBuffer {
    /// One HTTP request and nothing else. Source: RFC 9112, section 2.1.
    fileprivate func isWhole(bodyLength: Int) -> Bool {
        guard let headEnd = readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else { return false }
        return readableBytesView.endIndex - headEnd.upperBound == bodyLength
    }
}

/// An answer in bytes, but for its date.
struct RawAnswer {
    private let bytes: ByteBuffer
    private let dateAt: Int

    init(_ head: HTTPResponseHead, _ body: ByteBuffer) {
        var bytes = ByteBuffer()
        bytes.writeString("HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n")
        for (name, value) in head.headers where name != "Date" { bytes.writeString("\(name): \(value)\r\n") }
        bytes.writeString("Date: ")
        dateAt = bytes.writerIndex
        bytes.writeString("\(HTTPDate.text(WallTime(nanoseconds: 0)))\r\n\r\n")
        bytes.writeImmutableBuffer(body)
        self.bytes = bytes
    }

    /// - Parameter date: as HTTP writes it; always 29 characters (RFC 9110, section 5.6.7).
    func bytes(date: String) -> ByteBuffer {
        var dated = bytes
        dated.setString(date, at: dateAt)
        return dated
    }
}

/// Stands before the HTTP codec and answers a request that is known by its bytes.
final class RepeatedRequests: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Goes through the handlers behind, for those that watch the time.
    struct Answered: Sendable {}

    private let kept: KeptRequest
    private let activity: RequestActivity
    private let time: any TimeSource
    private let isCrowded: @Sendable () -> Bool

    init(
        _ kept: KeptRequest, _ activity: RequestActivity, time: any TimeSource,
        isCrowded: @escaping @Sendable () -> Bool
    ) {
        self.kept = kept
        self.activity = activity
        self.time = time
        self.isCrowded = isCrowded
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A crowded door answers with `Connection: close`.
        let answer = kept.answer(to: unwrapInboundIn(data), mayAnswer: !isCrowded(), at: time.wall)
        guard let answer else { return context.fireChannelRead(data) }
        activity.asked()
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.fireUserInboundEventTriggered(Answered())
    }
}
