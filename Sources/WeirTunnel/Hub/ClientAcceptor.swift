internal import CWeirSystem
internal import Glibc
package import NIOCore
internal import Synchronization
package import WeirWorld

/// Accepts clients on a thread of its own, and hands over bare descriptors.
///
/// NIO's server channel would bind a client to an event loop before it is known which link takes it; a stream whose two
/// sides live on different loops costs a thread switch a read. And a client that is refused needs no channel at all.
package final class ClientAcceptor: Sendable {
    private let descriptors: [CInt]
    private let wake: (read: CInt, write: CInt)
    private let balancers: [[AddressRange]]
    private let time: any TimeSource
    private let accepted: @Sendable (AcceptedClient) -> Void
    private let failed: @Sendable (Int) -> Void
    private let isStopped = Atomic<Bool>(false)

    /// - Parameter descriptors: listening sockets, non-blocking. The acceptor owns them.
    /// - Parameter balancers: by listener, who must say by the PROXY protocol for whom it speaks.
    /// - Parameter accepted: called on the acceptor's thread; must be quick.
    /// - Parameter failed: the system gives no client of that listener although there are some; told once for as long
    ///   as that lasts.
    package init(
        _ descriptors: [CInt], balancers: [[AddressRange]], time: any TimeSource,
        accepted: @escaping @Sendable (AcceptedClient) -> Void, failed: @escaping @Sendable (Int) -> Void
    ) throws(TunnelFailure) {
        var ends: [CInt] = [0, 0]
        guard weir_pipe(&ends) == 0 else { throw TunnelFailure("no_descriptors", "No pipe could be made.") }
        self.descriptors = descriptors
        self.balancers = balancers
        self.time = time
        wake = (ends[0], ends[1])
        self.accepted = accepted
        self.failed = failed
    }

    /// Listens at an address.
    package static func listen(_ address: SocketAddress, backlog: Int32 = 1_024) throws(TunnelFailure) -> CInt {
        let descriptor = socket(
            CInt(address.protocol == .inet6 ? AF_INET6 : AF_INET), CInt(SOCK_STREAM.rawValue), CInt(IPPROTO_TCP))
        guard descriptor >= 0 else { throw TunnelFailure(errno: errno, "A socket for \(address) could not be made") }
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        LoopbackPath.prepare(descriptor, at: address.ipAddress ?? "")
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
    package static func port(of descriptor: CInt) -> Int { own(descriptor)?.port ?? 0 }

    private static func own(_ descriptor: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isNamed = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) } == 0
        }
        return isNamed ? address(storage) : nil
    }

    /// Accepts on the lane's thread until `stop`.
    package func start(on lane: any BlockingLane) { lane.enqueue { self.loop() } }

    package func stop() {
        guard !isStopped.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var byte: UInt8 = 0
        _ = write(wake.write, &byte, 1)
    }

    private func loop() {
        var waiting: [HeaderWaiting] = []
        var failing: Set<Int> = []
        while !isStopped.load(ordering: .sequentiallyConsistent) {
            var all = (descriptors + [wake.read]).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            all += waiting.map {
                pollfd(fd: $0.client.descriptor, events: $0.isPartial ? 0 : Int16(POLLIN), revents: 0)
            }
            let most: CInt = waiting.isEmpty ? -1 : waiting.contains(where: \.isPartial) ? 10 : 250
            guard poll(&all, nfds_t(all.count), most) >= 0 else { continue }
            waiting = zip(waiting, all[(descriptors.count + 1)...]).compactMap { client, event in
                resume(client, isReady: event.revents != 0)
            }
            for listener in descriptors.indices where all[listener].revents != 0 {
                drain(listener, &waiting, &failing)
            }
        }
        for client in waiting { Self.refuse(client.client.descriptor) }
        for descriptor in descriptors { close(descriptor) }
        close(wake.read)
        close(wake.write)
    }

    // Up to 64 of one listener, so that a flood at one does not keep the others waiting.
    private func drain(_ listener: Int, _ waiting: inout [HeaderWaiting], _ failing: inout Set<Int>) {
        for _ in 0..<64 {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(descriptors[listener], $0, &size) }
            }
            guard descriptor >= 0 else {
                // Nobody is there any more: no news.
                if [EAGAIN, EINTR, ECONNABORTED].contains(errno) { return }
                if failing.insert(listener).inserted { failed(listener) }
                // No descriptors or memory left, mostly: the clients wait in the backlog; others may give something
                // back meanwhile.
                var stop = pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)
                _ = poll(&stop, 1, 10)
                return
            }
            failing.remove(listener)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let client = AcceptedClient(
                descriptor: descriptor, listener: listener, client: ClientAddress(Self.address(storage)),
                server: ClientAddress(Self.own(descriptor)))
            guard let bits = client.bits, balancers[listener].contains(where: { $0.contains(bits) }) else {
                accepted(client)
                continue
            }
            if waiting.count < HeaderWaiting.most {
                waiting.append(HeaderWaiting(client: client, until: time.now + HeaderWaiting.patience))
            } else {
                Self.refuse(descriptor)
            }
        }
    }

    /// - Returns: `nil` when it is settled.
    private func resume(_ waiting: HeaderWaiting, isReady: Bool) -> HeaderWaiting? {
        guard isReady || waiting.isPartial else {
            if time.now < waiting.until { return waiting }
            Self.refuse(waiting.client.descriptor)
            return nil
        }
        switch waiting.read() {
        case .partial where time.now < waiting.until:
            var waiting = waiting
            waiting.isPartial = true
            return waiting
        case .client(let client): accepted(client)
        case .partial, .mistake: Self.refuse(waiting.client.descriptor)
        }
        return nil
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
