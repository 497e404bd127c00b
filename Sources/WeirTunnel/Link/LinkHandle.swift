package import NIOCore
internal import Synchronization

/// A link as other threads know it. What it does happens on the link's event loop.
package struct LinkHandle: Sendable {
    let bound: NIOLoopBound<Link>
    package let loop: any EventLoop
    package let id: UInt64
    /// Streams that are open or being opened through the hub.
    let load: LinkLoad

    init(_ link: Link, loop: any EventLoop, id: UInt64) {
        bound = NIOLoopBound(link, eventLoop: loop)
        self.loop = loop
        self.id = id
        load = LinkLoad()
    }

    package var streams: Int { load.count }

    package func drain() { loop.execute { bound.value.drain() } }
    package func close(_ end: LinkEnd) { loop.execute { bound.value.close(end) } }
}

/// How many streams a link carries, for those who choose among links.
final class LinkLoad: Sendable {
    private let streams = Atomic<Int>(0)
    var count: Int { streams.load(ordering: .relaxed) }
    func more() { streams.add(1, ordering: .relaxed) }
    func less() { streams.subtract(1, ordering: .relaxed) }
}
