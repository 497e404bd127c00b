import NIOCore
import NIOEmbedded
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// What goes out on a link while several streams have more than it takes.
@Suite("Streams that share a link")
struct LinkTurnTests {
    @Test("take turns frame by frame, and no frame is longer than 16 KiB with its header")
    func turns() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        let link = Link(.init(role: .server), owner: Nobody(), random: SeededRandom(seed: 1), at: loop.now)
        try channel.pipeline.syncOperations.addHandler(link)
        channel.isWritable = false
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let streams = try (0..<3).map { _ in try link.open(Full()) }
        for stream in streams { link.hasMore(stream) }
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        var frames: [YamuxHeader] = []
        while var bytes = try channel.readOutbound(as: ByteBuffer.self) {
            #expect(bytes.readableBytes <= Link.gatherMost + (16 << 10))
            while let frame = try YamuxHeader(from: &bytes) {
                guard frame.kind == .data else { continue }
                bytes.moveReaderIndex(forwardBy: Int(frame.length))
                frames.append(frame)
            }
        }
        #expect(frames.allSatisfy { Int($0.length) + YamuxHeader.byteCount <= 16 << 10 })
        // As long as all of them have credit.
        let rounds = YamuxHeader.windowFirst / ((16 << 10) - YamuxHeader.byteCount)
        #expect(frames.prefix(3 * rounds).map(\.stream) == Array(repeating: streams, count: rounds).flatMap(\.self))
        for stream in streams {
            #expect(frames.filter { $0.stream == stream }.reduce(0) { $0 + Int($1.length) } == YamuxHeader.windowFirst)
        }
    }

    @Test("learn of credit that was taken for a turn and not used")
    func givenBack() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        let link = Link(.init(role: .server), owner: Nobody(), random: SeededRandom(seed: 1), at: loop.now)
        try channel.pipeline.syncOperations.addHandler(link)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let end = Little(link)
        end.stream = try link.open(end)
        // Nearly all of the window, then less than what is left: it is taken for the turn as a whole.
        for bytes in [YamuxHeader.windowFirst - 1_000, 100] {
            end.bytes = bytes
            link.hasMore(end.stream)
        }
        #expect(end.bytes == 0 && end.credit == 900)
    }

    /// Looks for credit whenever it has given all that it has, as a socket's end does.
    private final class Little: StreamEnd {
        let link: Link
        var stream: UInt32 = 0
        var bytes = 0
        var credit = 0
        init(_ link: Link) { self.link = link }
        func accepted() {}
        func granted() { credit = link.credit(of: stream) }
        func received(_ bytes: ByteBuffer) {}
        func receivedAll() {}
        func finished() {}
        func reset(_ reason: StreamReason) {}
        func next(most: Int) -> ByteBuffer? {
            let amount = min(most, bytes)
            bytes -= amount
            if bytes == 0 { granted() }
            return ByteBuffer(repeating: 1, count: amount)
        }
        var hasBytes: Bool { bytes > 0 }
        var isDone: Bool { false }
        func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
    }

    private final class Nobody: Link.Owner {
        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) {}
        func peerDrains(_ link: Link) {}
        func linkIsDown(_ link: Link, _ end: LinkEnd) {}
    }

    /// Has always more.
    private final class Full: StreamEnd {
        func accepted() {}
        func received(_ bytes: ByteBuffer) {}
        func receivedAll() {}
        func finished() {}
        func reset(_ reason: StreamReason) {}
        func next(most: Int) -> ByteBuffer? { ByteBuffer(repeating: 1, count: most) }
        var hasBytes: Bool { true }
        var isDone: Bool { false }
        func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
    }
}
