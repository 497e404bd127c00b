import NIOCore
import NIOEmbedded
import NIOPosix
import Testing
import WeirWorld

@testable import WeirTunnel

/// A socket of the simulation with the program behind it, which sends so many bytes and FIN, and checks all that comes.
/// It gives bytes only when it is read, and a write is done when the program has taken it.
final class SimSocket: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    let channel: EmbeddedChannel
    private let sends: Pattern
    private let comes: Pattern
    /// What the program has to say, and what it is to hear, in bytes.
    let toSend: Int
    let toHear: Int
    private(set) var sent = 0
    private(set) var heard = 0
    /// The program has seen the other side's FIN.
    private(set) var hasHeardAll = false
    private(set) var isClosed = false
    private var wantsRead = false
    private var hasFinished = false
    private var written: [(bytes: ByteBuffer, done: EventLoopPromise<Void>?)] = []
    private var mistake: String?

    init(loop: EmbeddedEventLoop, sends: Pattern, toSend: Int, comes: Pattern, toHear: Int) throws {
        channel = EmbeddedChannel(loop: loop)
        (self.sends, self.toSend, self.comes, self.toHear) = (sends, toSend, comes, toHear)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/sim")).wait()
        try channel.pipeline.syncOperations.addHandler(self)
    }

    func join(_ end: SocketEnd) throws { try channel.pipeline.syncOperations.addHandler(end) }

    // MARK: What the end asks for

    func read(context: ChannelHandlerContext) { wantsRead = true }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        written.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {}

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .output = mode {
            hearEnd()
            promise?.succeed(())
            if hasFinished { shut() }
        } else {
            // Both directions had ended, and nothing waits: FIN. Else it is RST.
            if !isClosed, hasFinished, written.isEmpty, heard == toHear { hasHeardAll = true }
            isClosed = true
            drop()
            context.close(mode: mode, promise: promise)
        }
    }

    private func hearEnd() {
        hasHeardAll = true
        if !written.isEmpty || heard != toHear { mistake = "FIN after \(heard) of \(toHear) bytes" }
    }

    private func drop() {
        let dropped = written
        written = []
        for write in dropped { write.done?.fail(ChannelError.ioOnClosedChannel) }
    }

    // As NIO does when both directions have ended.
    private func shut() {
        isClosed = true
        channel.close(promise: nil)
    }

    // MARK: What the program does

    func speak(_ chance: Chance) {
        guard wantsRead, !isClosed, !hasFinished else { return }
        wantsRead = false
        if sent == toSend {
            hasFinished = true
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            if hasHeardAll { shut() }
            return
        }
        let amount = min(toSend - sent, Int.random(in: 1...(128 << 10), using: &chance.generator))
        let bytes = sends.bytes(from: sent, length: amount)
        sent += amount
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
    }

    func listen(_ chance: Chance, all: Bool) throws {
        var count = all ? written.count : Int.random(in: 0...min(2, written.count), using: &chance.generator)
        while count > 0, !written.isEmpty {
            count -= 1
            let write = written.removeFirst()
            var rest = write.bytes
            while let bytes = rest.readSlice(length: min(rest.readableBytes, 128 << 10)), bytes.readableBytes > 0 {
                if bytes != comes.bytes(from: heard, length: bytes.readableBytes) {
                    mistake = "other bytes at \(heard)"
                }
                heard += bytes.readableBytes
            }
            write.done?.succeed(())
        }
        try #require(mistake == nil && heard <= toHear, "\(mistake ?? "more than was sent")")
    }

    func abort() {
        guard !isClosed else { return }
        isClosed = true
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "reset"))
    }
}
