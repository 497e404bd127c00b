internal import CWeirSystem
internal import Glibc
package import NIOCore
internal import Synchronization
package import WeirWorld

/// A client's connection before anything was read from it.
package struct AcceptedClient: Sendable {
    /// Whoever gets it closes it.
    package var descriptor: CInt
    /// Number of the listener that it came to.
    package var listener: Int
    package var address: SocketAddress?
}

/// Accepts clients on a thread of its own, and hands over bare descriptors.
///
/// NIO's server channel would bind a client to an event loop before it is known which link takes it; a stream whose two
/// sides live on different loops costs a thread switch a read. And a client that is refused needs no channel at all.
package final class ClientAcceptor: Sendable {
    private let descriptors: [CInt]
    private let wake: (read: CInt, write: CInt)
    private let accepted: @Sendable (AcceptedClient) -> Void
    private let state = Mutex(State())

    private struct State {
        var isStopped = false
        var paused: Set<Int> = []
    }

    /// - Parameter descriptors: listening sockets, non-blocking. The acceptor owns them.
    /// - Parameter accepted: called on the acceptor's thread; must be quick.
    package init(_ descriptors: [CInt], accepted: @escaping @Sendable (AcceptedClient) -> Void) throws(TunnelFailure) {
        var ends: [CInt] = [0, 0]
        guard weir_pipe(&ends) == 0 else { throw TunnelFailure("no_descriptors", "No pipe could be made.") }
        self.descriptors = descriptors
        wake = (ends[0], ends[1])
        self.accepted = accepted
    }

    /// Listens at an address.
    package static func listen(_ address: SocketAddress, backlog: Int32 = 1_024) throws(TunnelFailure) -> CInt {
        let descriptor = socket(
            CInt(address.protocol == .inet6 ? AF_INET6 : AF_INET), CInt(SOCK_STREAM.rawValue), CInt(IPPROTO_TCP))
        guard descriptor >= 0 else { throw TunnelFailure(errno: errno, "A socket for \(address) could not be made") }
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        let bound = address.withSockAddr { pointer, size in bind(descriptor, pointer, socklen_t(size)) }
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0,
            fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
        else {
            let failure = TunnelFailure(errno: errno, "Weir cannot listen at \(address)")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    /// The port that a listening socket was given.
    package static func port(of descriptor: CInt) -> Int {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isNamed = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) } == 0
        }
        return isNamed ? address(storage)?.port ?? 0 : 0
    }

    /// Accepts on the lane's thread until `stop`.
    package func start(on lane: any BlockingLane) { lane.enqueue { self.loop() } }

    /// Clients of a paused listener wait in the kernel's backlog.
    package func pause(_ listener: Int, _ isPaused: Bool) {
        let changed = state.withLock { state in
            isPaused ? state.paused.insert(listener).inserted : state.paused.remove(listener) != nil
        }
        if changed { poke() }
    }

    package func stop() {
        state.withLock { $0.isStopped = true }
        poke()
    }

    private func poke() {
        var byte: UInt8 = 0
        _ = write(wake.write, &byte, 1)
    }

    private func loop() {
        while true {
            let (isStopped, paused) = state.withLock { ($0.isStopped, $0.paused) }
            if isStopped { break }
            let open = descriptors.indices.filter { !paused.contains($0) }
            var all = (open.map { descriptors[$0] } + [wake.read]).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&all, nfds_t(all.count), -1) >= 0 else { continue }
            if all[all.count - 1].revents != 0 {
                var bytes = [UInt8](repeating: 0, count: 64)
                _ = read(wake.read, &bytes, bytes.count)
            }
            for place in open.indices where all[place].revents != 0 { drain(open[place]) }
        }
        for descriptor in descriptors { close(descriptor) }
        close(wake.read)
        close(wake.write)
    }

    // Up to 64 of one listener, so that a flood at one does not keep the others waiting.
    private func drain(_ listener: Int) {
        for _ in 0..<64 {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(descriptors[listener], $0, &size) }
            }
            guard descriptor >= 0 else {
                // No descriptors left: the clients wait in the backlog; others may give theirs back meanwhile.
                if errno == EMFILE || errno == ENFILE {
                    var stop = pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)
                    _ = poll(&stop, 1, 10)
                }
                return
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            accepted(AcceptedClient(descriptor: descriptor, listener: listener, address: Self.address(storage)))
        }
    }

    private static func address(_ storage: sockaddr_storage) -> SocketAddress? {
        var storage = storage
        return withUnsafePointer(to: &storage) { pointer in
            switch CInt(pointer.pointee.ss_family) {
            case AF_INET:
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
            case AF_INET6:
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
            default: nil
            }
        }
    }

    /// Ends a connection with RST: what was refused must not look like a service that has nothing to say.
    package static func refuse(_ descriptor: CInt) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(descriptor)
    }
}
