internal import NIOCore

/// What stands at our end of a stream: a socket, the control conversation, a dial under way. All calls come on the
/// link's event loop.
protocol StreamEnd: AnyObject {
    /// The peer has taken the stream that we opened.
    func accepted()
    /// The peer has granted credit; there may have been none.
    func granted()
    /// Bytes have come. They count against the stream's window until `Link.taken` is told that they were taken.
    func received(_ bytes: ByteBuffer)
    /// No more bytes come in this turn: write out what was gathered.
    func receivedAll()
    /// The peer sends no more.
    func finished()
    /// The stream is over in both directions; the link has forgotten it.
    func reset(_ reason: StreamReason)
    /// The next bytes to send, `most` at the most, or `nil` when there are none. Asked in turn with all other streams.
    func next(most: Int) -> ByteBuffer?
    /// True when `next` would give bytes.
    var hasBytes: Bool { get }
    /// All bytes were given and no more will come: the link sends FIN, once.
    var isDone: Bool { get }
    /// From now on what it has to send waits for credit or for the link, or no longer does. Told again and again.
    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool)
}

extension StreamEnd {
    func granted() {}
}
