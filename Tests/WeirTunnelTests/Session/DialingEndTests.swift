import NIOCore
import NIOEmbedded
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// A hub of other hands may send a client's bytes before the agent has answered.
@Suite("An agent's end of a stream that is being opened")
struct DialingEndTests {
    @Test("hands on all that came before its target, in order, and after it what comes while it hands on")
    func order() throws {
        let stage = try Stage()
        try stage.comes("early ")
        stage.end?.connected(stage.target)
        // The status has gone; the target's end takes over after this turn.
        try stage.comes("while ", finish: false)
        stage.loop.run()
        try stage.comes("after", finish: true)
        #expect(stage.target.text == "early while after" && stage.target.hasFinished)
    }

    @Test("tells a target that was dialled that the stream was reset before it took over")
    func reset() throws {
        let stage = try Stage()
        stage.end?.connected(stage.target)
        try stage.feed(YamuxHeader(.window, .reset, stream: 2, length: StreamReason.socketReset.rawValue))
        stage.loop.run()
        #expect(stage.target.resets == [.socketReset])
    }

    @Test("says that it has taken the stream together with how the dial went")
    func oneWrite() throws {
        let stage = try Stage()
        #expect(try stage.said().isEmpty)
        stage.end?.connected(stage.target)
        #expect(try stage.said() == [[.accept], []])
    }

    @Test("says soon that it has taken the stream when the target lets it wait")
    func slowTarget() throws {
        let stage = try Stage()
        _ = try stage.said()
        stage.loop.advanceTime(by: .milliseconds(5))
        #expect(try stage.said() == [[.accept]])
        stage.end?.failed(.refused)
        #expect(try stage.said() == [[]])
    }

    /// A link whose hub has opened stream 2 and asked for a target.
    private final class Stage: Link.Owner {
        let loop = EmbeddedEventLoop()
        let channel: EmbeddedChannel
        let target = Target()
        var end: DialingEnd?

        init() throws {
            channel = EmbeddedChannel(loop: loop)
            let link = Link(.init(role: .client), owner: self, random: SeededRandom(seed: 1), at: loop.now)
            try channel.pipeline.syncOperations.addHandler(link)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try feed(YamuxHeader(.window, .open, stream: 2))
            let request = Array(#"{"connector":"c"}"#.utf8)
            try comes(bytes: [0, UInt8(request.count)] + request)
        }

        func comes(_ text: String, finish: Bool = false) throws { try comes(bytes: Array(text.utf8), finish: finish) }

        private func comes(bytes: [UInt8], finish: Bool = false) throws {
            try feed(YamuxHeader(.data, finish ? .finish : [], stream: 2, length: UInt32(bytes.count)), bytes)
        }

        func feed(_ header: YamuxHeader, _ payload: [UInt8] = []) throws {
            var bytes = ByteBuffer()
            header.write(to: &bytes)
            bytes.writeBytes(payload)
            try channel.writeInbound(bytes)
        }

        /// The flags of what has gone out on the stream, written at once.
        func said() throws -> [YamuxHeader.Flags] {
            var flags: [YamuxHeader.Flags] = []
            var writes = 0
            while var bytes = try channel.readOutbound(as: ByteBuffer.self) {
                let before = flags.count
                while let frame = try YamuxHeader(from: &bytes) {
                    if frame.kind == .data { bytes.moveReaderIndex(forwardBy: Int(frame.length)) }
                    if frame.stream == 2 { flags.append(frame.flags) }
                }
                if flags.count > before { writes += 1 }
            }
            #expect(writes <= 1)
            return flags
        }

        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) {
            end = DialingEnd(on: link, stream: stream) { _, _ in }
        }
        func peerDrains(_ link: Link) {}
        func linkIsDown(_ link: Link, _ end: LinkEnd) {}
    }

    private final class Target: StreamEnd {
        var text = ""
        var hasFinished = false
        var resets: [StreamReason] = []
        func accepted() {}
        func received(_ bytes: ByteBuffer) { text += String(buffer: bytes) }
        func receivedAll() {}
        func finished() { hasFinished = true }
        func reset(_ reason: StreamReason) { resets.append(reason) }
        func next(most: Int) -> ByteBuffer? { nil }
        var hasBytes: Bool { false }
        var isDone: Bool { false }
        func waits(_ cause: ConnectorFigures.Cause, _ waits: Bool) {}
    }
}
