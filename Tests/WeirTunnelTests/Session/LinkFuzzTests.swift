import NIOCore
import NIOEmbedded
import Testing
import WeirWires
import WeirWorld

@testable import WeirTunnel

/// Bytes of any kind over a whole link: the decoder, the session and the ends of streams.
@Suite("A link under any bytes")
struct LinkFuzzTests {
    /// Takes every stream; keeps nothing.
    private final class Taking: Link.Owner {
        var ends = 0
        func linkIsUp(_ link: Link) {}
        func opened(_ stream: UInt32, on link: Link) {
            _ = DialingEnd(on: link, stream: stream) { _, end in end.failed(.refused) }
        }
        func peerDrains(_ link: Link) {}
        func linkIsDown(_ link: Link, _ end: LinkEnd) { ends += 1 }
    }

    @Test("ends it or goes on, within its memory, and never more than once", arguments: 0..<60)
    func any(seed: UInt64) throws {
        let chance = Chance(seed: seed)
        let loop = EmbeddedEventLoop()
        let wire = try SimWire(loop)
        let owner = Taking()
        var settings = Session.Settings(role: .client)
        settings.memory = 1 << 20
        settings.backlogMost = 16
        let link = Link(settings, owner: owner, random: SeededRandom(seed: seed), at: loop.now)
        try wire.hub.channel.pipeline.syncOperations.addHandler(link)
        var written = 0
        for _ in 0..<400 where wire.hub.channel.isActive {
            loop.advanceTime(by: .milliseconds(Int64.random(in: 0...20, using: &chance.generator)))
            wire.hub.coming.append((Self.bytes(chance), loop.now))
            for _ in 0..<8 { try wire.move(chance, latest: 0) }
            wire.hub.coming.removeAll { $0.bytes.readableBytes == 0 }
            if wire.hub.coming.count > 8 { wire.hub.coming.removeFirst() }
            written += wire.agent.coming.reduce(0) { $0 + $1.bytes.readableBytes }
            wire.agent.coming = []
            #expect(link.session.unread <= settings.memory + (256 << 10) && link.session.streamCount <= 16_384)
        }
        #expect(written < 4 << 20, "answers are not larger than questions")
        wire.cut()
        loop.run()
        #expect(owner.ends == 1)
    }

    /// A frame that may be right, one that is a little wrong, or nothing but noise.
    private static func bytes(_ chance: Chance) -> ByteBuffer {
        var bytes = ByteBuffer()
        let kind = YamuxHeader.Kind(rawValue: UInt8.random(in: 0...3, using: &chance.generator)) ?? .data
        let length = UInt32.random(in: 0...600, using: &chance.generator)
        var header = YamuxHeader(
            kind, .init(rawValue: UInt16.random(in: 0...15, using: &chance.generator)),
            stream: kind == .ping || kind == .goAway ? 0 : UInt32.random(in: 1...20, using: &chance.generator) * 2,
            length: length)
        if Int.random(in: 0..<200, using: &chance.generator) == 0 {
            header.length = .random(in: 0...(.max), using: &chance.generator)
        }
        header.write(to: &bytes)
        if header.kind == .data {
            bytes.writeRepeatingByte(.random(in: 0...255, using: &chance.generator), count: Int(length))
        }
        if Int.random(in: 0..<100, using: &chance.generator) == 0,
            let place = bytes.readableBytesView.indices.randomElement(using: &chance.generator)
        {
            bytes.setInteger(UInt8.random(in: 0...255, using: &chance.generator), at: place)
        }
        return bytes
    }
}
