internal import NIOCore
internal import WeirTunnel
internal import WeirWorld

#if canImport(Glibc)
    internal import Glibc
#endif

extension NodeTunnel {
    /// A connection through the hub to what agents serve as `connector`: a socket that becomes the caller's.
    ///
    /// It comes to the connector's own listener, as any client's would, so that its limits, its policy and its audit
    /// hold for it too.
    func dial(_ connector: String) async throws(NodeFailure) -> Int32 {
        guard let hub, let place = hub.listener(of: connector) else {
            throw NodeFailure(
                "The hub has no connector `\(connector)` that is open.",
                help: "Declare it under `tunnel.connectors`.")
        }
        let lane = world.blocking.lane("dial")
        defer { lane.close() }
        do {
            return try await lane.run { try Self.connect(place.host, place.port) }
        } catch {
            throw NodeFailure(
                "The hub's listener of `\(connector)` could not be reached: \(error)",
                help: "`allow` of the connector must let 127.0.0.1 in.")
        }
    }

    private static func connect(_ host: String, _ port: Int) throws -> Int32 {
        let reached = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
        let address = try SocketAddress.makeAddressResolvingHost(reached, port: port)
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = socket(Int32(family), Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_TCP))
        guard descriptor >= 0 else { throw NodeFailure("errno \(errno).", help: "") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let result = address.withSockAddr { pointer, size in Glibc.connect(descriptor, pointer, socklen_t(size)) }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw NodeFailure("errno \(code).", help: "")
        }
        return descriptor
    }
}

extension Hub {
    /// Where clients of a connector come in; the first of its listeners.
    fileprivate func listener(of connector: String) -> (host: String, port: Int)? {
        guard let place = settings.listeners.firstIndex(where: { $0.connector == connector }), place < ports.count
        else { return nil }
        return (settings.listeners[place].host, ports[place])
    }
}
