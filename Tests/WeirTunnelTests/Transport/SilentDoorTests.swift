import Logging
import NIOCore
import NIOEmbedded
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// Links of which no agent comes, in the time of an embedded loop.
@Suite("A link without an agent")
struct SilentDoorTests {
    private func link() throws -> (EmbeddedChannel, EmbeddedEventLoop, CountingObserver) {
        let (loop, observer) = (EmbeddedEventLoop(), CountingObserver())
        let hub = Hub(
            Hub.Settings(), observer: observer,
            world: World.live(log: Logger(label: "tunnel", factory: { _ in SwiftLogNoOpLogHandler() })))
        let channel = EmbeddedChannel(loop: loop)
        let link = hub.link(for: .success(nil), address: nil, at: loop.now)
        try channel.pipeline.syncOperations.addHandler(link)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, loop, observer)
    }

    @Test("that says nothing is closed after 10 s and counted", arguments: [false, true])
    func silent(talks: Bool) throws {
        let (channel, loop, observer) = try link()
        if talks {
            // It opens its conversation, and says nothing in it.
            var frame = ByteBuffer()
            YamuxHeader(.window, .open, stream: 1).write(to: &frame)
            try channel.writeInbound(frame)
        }
        loop.advanceTime(by: .milliseconds(9_900))
        #expect(channel.isActive && observer.now.door == [:])
        loop.advanceTime(by: .milliseconds(200))
        #expect(!channel.isActive && observer.now.door == [.noHello: 1])
    }

    @Test("that leaves by itself, or says what is no yamux, is counted as that")
    func others() throws {
        let (left, _, seen) = try link()
        left.close(promise: nil)
        left.embeddedEventLoop.run()
        #expect(seen.now.door == [.left: 1])
        let (wrong, _, mistaken) = try link()
        try wrong.writeInbound(ByteBuffer(bytes: Array(repeating: 0xFF, count: 12)))
        wrong.embeddedEventLoop.run()
        #expect(!wrong.isActive && mistaken.now.door == [.protocol: 1])
    }
}
