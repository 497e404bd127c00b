import NIOCore
import NIOEmbedded
import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("A link that ends")
struct LinkEndTests {
    /// As TLS does with a peer that is dead: it waits seconds for an answer to its farewell.
    private final class Lingering: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {}
    }

    private final class Owner: Link.Owner {
        var ends: [LinkEnd] = []
        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) {}
        func peerDrains(_ link: Link) {}
        func linkIsDown(_ link: Link, _ end: LinkEnd) { ends.append(end) }
    }

    @Test("ends its streams at once, though its channel takes its time; and opens no more")
    func atOnce() throws {
        let loop = EmbeddedEventLoop()
        let channel = EmbeddedChannel(loop: loop)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/sim")).wait()
        let owner = Owner()
        let link = Link(
            Session.Settings(role: .server), owner: owner, random: SeededRandom(seed: 1), at: loop.now)
        try channel.pipeline.syncOperations.addHandlers([Lingering(), link])
        var answers: [StreamReason] = []
        func ask() {
            _ = OpeningEnd(OpenRequest(connector: "c"), on: link, timeout: .seconds(5)) { result in
                if case .failure(let failure) = result { answers.append(failure.reason) }
            }
        }
        ask()
        link.close(.silent)
        #expect(answers == [.sessionLost] && owner.ends == [.silent] && channel.isActive)
        ask()
        #expect(answers == [.sessionLost, .draining])
        channel.pipeline.fireChannelInactive()
        #expect(owner.ends == [.silent], "told once")
    }
}
