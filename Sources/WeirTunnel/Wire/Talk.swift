internal import Foundation
internal import NIOCore

/// The control stream's end on either side: messages in, messages out.
final class Talk: StreamEnd {
    /// What is heard, on the link's event loop; `nil` when the other side has ended the conversation.
    private let heard: (ControlMessage?) -> Void
    private let link: Link
    private(set) var stream: UInt32 = 0
    private var incoming = ByteBuffer()
    private var outgoing = ByteBuffer()
    private var isOver = false

    /// A stream that the peer has opened.
    init(on link: Link, stream: UInt32, heard: @escaping (ControlMessage?) -> Void) {
        self.link = link
        self.stream = stream
        self.heard = heard
        link.conversation = stream
        link.attach(self, to: stream)
        link.accept(stream)
    }

    /// A stream of our own.
    init(opensOn link: Link, heard: @escaping (ControlMessage?) -> Void) throws(Session.OpenRefusal) {
        self.link = link
        self.heard = heard
        stream = try link.open(self)
        link.conversation = stream
    }

    func say(_ message: ControlMessage) {
        guard !isOver, let text = try? JSONEncoder().encode(message), text.count <= ControlMessage.lengthMost else {
            return
        }
        outgoing.writeInteger(UInt32(text.count))
        outgoing.writeBytes(text)
        link.hasMore(stream)
    }

    // MARK: The stream

    func accepted() {}

    func received(_ bytes: ByteBuffer) {
        let amount = bytes.readableBytes
        incoming.writeImmutableBuffer(bytes)
        link.taken(amount, of: stream)
    }

    func receivedAll() {
        while !isOver, let length = incoming.getInteger(at: incoming.readerIndex, as: UInt32.self) {
            guard length <= ControlMessage.lengthMost else {
                return reject("a message of \(length) bytes; the longest is \(ControlMessage.lengthMost)")
            }
            guard incoming.readableBytes >= 4 + Int(length) else { break }
            incoming.moveReaderIndex(forwardBy: 4)
            let text = incoming.readBytes(length: Int(length)) ?? []
            guard let message = try? JSONDecoder().decode(ControlMessage.self, from: Data(text)) else {
                return reject("a message that is none")
            }
            if case .unknown = message { continue }
            heard(message)
        }
        incoming.discardReadBytes()
    }

    func finished() { end() }
    func reset(_ reason: StreamReason) { end() }

    // Nothing that follows can be told from it.
    private func reject(_ what: String) {
        isOver = true
        link.reject(.mistake("\(what), in the conversation"))
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        heard(nil)
    }

    var hasBytes: Bool { outgoing.readableBytes > 0 }
    var isDone: Bool { false }
    func next(most: Int) -> ByteBuffer? {
        let bytes = outgoing.readSlice(length: min(most, outgoing.readableBytes))
        if outgoing.readableBytes == 0 { outgoing = ByteBuffer() }
        return bytes
    }
    func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
}
