import DequeModule
import NIOCore
import NIOEmbedded
import WeirWorld

@testable import WeirTunnel

/// Two channels and what is on its way between them: in order, late, in pieces of any size, or lost when it is cut.
final class SimWire {
    /// One end. It gets bytes only when it has asked to read.
    final class End: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        let channel: EmbeddedChannel
        var wantsRead = false
        var coming: [(bytes: ByteBuffer, at: NIODeadline)] = []

        init(_ loop: EmbeddedEventLoop) throws {
            channel = EmbeddedChannel(loop: loop)
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/sim")).wait()
            try channel.pipeline.syncOperations.addHandler(self)
        }

        func read(context: ChannelHandlerContext) { wantsRead = true }
    }

    let hub: End
    let agent: End
    private let loop: EmbeddedEventLoop
    /// Nothing arrives while it is frozen.
    var isFrozen = false

    init(_ loop: EmbeddedEventLoop) throws {
        self.loop = loop
        (hub, agent) = (try End(loop), try End(loop))
    }

    var isEmpty: Bool { hub.coming.isEmpty && agent.coming.isEmpty }
    var isDown: Bool { !hub.channel.isActive && !agent.channel.isActive }

    func move(_ chance: Chance, latest: Int64) throws {
        try collect(hub, agent, chance, latest)
        try collect(agent, hub, chance, latest)
        guard !isFrozen else { return }
        try deliver(hub, chance)
        try deliver(agent, chance)
    }

    private func collect(_ from: End, _ to: End, _ chance: Chance, _ latest: Int64) throws {
        while let bytes = try from.channel.readOutbound(as: ByteBuffer.self) {
            let delay = TimeAmount.microseconds(Int64.random(in: 0...latest, using: &chance.generator))
            if bytes.readableBytes > 0 { to.coming.append((bytes, loop.now + delay)) }
        }
        // What was written before the close arrives before it.
        if !from.channel.isActive, to.coming.isEmpty || !to.channel.isActive, !isFrozen {
            to.channel.close(promise: nil)
        }
    }

    private func deliver(_ end: End, _ chance: Chance) throws {
        while end.wantsRead, end.channel.isActive, var first = end.coming.first, first.at <= loop.now {
            let amount = Int.random(in: 1...first.bytes.readableBytes, using: &chance.generator)
            let part = first.bytes.readSlice(length: amount) ?? ByteBuffer()
            if first.bytes.readableBytes == 0 { end.coming.removeFirst() } else { end.coming[0] = first }
            end.wantsRead = false
            end.channel.pipeline.fireChannelRead(part)
            end.channel.pipeline.fireChannelReadComplete()
        }
    }

    func cut() {
        hub.coming = []
        agent.coming = []
        hub.channel.close(promise: nil)
        agent.channel.close(promise: nil)
    }

    func setWritable(_ isWritable: Bool) {
        for end in [hub, agent] where end.channel.isActive {
            end.channel.isWritable = isWritable
            end.channel.pipeline.fireChannelWritabilityChanged()
        }
    }
}
