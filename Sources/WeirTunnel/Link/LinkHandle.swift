package import NIOCore
internal import Synchronization
internal import WeirWires
internal import WeirWorld

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
        load = link.load
    }

    package var streams: Int { load.count }
    /// Of the last answered ping; `nil` before.
    package var roundTrip: Duration? { load.roundTrip }
    /// What its streams may be sent now, in bytes.
    package var granted: Int { load.granted }

    package func drain() { loop.execute { bound.value.drain() } }
    package func close(_ end: LinkEnd) { loop.execute { bound.value.close(end) } }
}

/// What a link tells other threads: how many streams it carries, for those who choose among links, and its figures of
/// the last second.
final class LinkLoad: Sendable {
    private let streams = Atomic<Int>(0)
    private let nanoseconds = Atomic<Int64>(-1)
    private let window = Atomic<Int>(0)

    var roundTrip: Duration? {
        let value = nanoseconds.load(ordering: .relaxed)
        return value < 0 ? nil : .nanoseconds(value)
    }
    var granted: Int { window.load(ordering: .relaxed) }

    func note(roundTrip: Duration?, granted: Int) {
        if let roundTrip { nanoseconds.store(roundTrip.nanoseconds, ordering: .relaxed) }
        window.store(granted, ordering: .relaxed)
    }

    var count: Int { streams.load(ordering: .relaxed) }
    func more() { streams.add(1, ordering: .relaxed) }
    func less() { streams.subtract(1, ordering: .relaxed) }
}
