import Glibc
import WeirWorld

/// Connects a TCP socket, on a thread that may block. Ours rather than libldap's, so that a connection through a tunnel
/// and a direct one take the same way.
enum SocketDial {
    /// - Returns: a connected socket, closed in other programs, with small writes sent at once.
    static func connect(_ address: DirectoryAddress, within limit: Duration, _ time: any TimeSource)
        throws(DirectoryFailure) -> Int32
    {
        let end = time.now + limit
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        if address.isLoopback { hints.ai_flags = 0 }
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, "\(address.port)", &hints, &list)
        guard code == 0, let first = list else {
            throw .unreachable(
                code: "name_not_found", text: "\(address): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(first) }
        var last = DirectoryFailure.unreachable(code: "name_not_found", text: "\(address): no address")
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let candidate = next {
            next = candidate.pointee.ai_next
            do throws(DirectoryFailure) {
                return try connect(candidate.pointee, address, until: end, time)
            } catch {
                last = error
            }
        }
        throw last
    }

    private static func connect(
        _ candidate: addrinfo, _ address: DirectoryAddress, until end: Moment, _ time: any TimeSource
    ) throws(DirectoryFailure) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(candidate.ai_family, type, 0)
        guard descriptor >= 0 else { throw failure(address, errno) }
        var number: Int32 = 0
        if Glibc.connect(descriptor, candidate.ai_addr, candidate.ai_addrlen) != 0 { number = errno }
        if number == EINPROGRESS { number = outcome(descriptor, until: end, time) }
        guard number == 0 else {
            close(descriptor)
            throw failure(address, number)
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    /// - Returns: the error of the connection, 0 when it stands.
    private static func outcome(_ descriptor: Int32, until end: Moment, _ time: any TimeSource) -> Int32 {
        while true {
            let rest = end - time.now
            guard rest > .zero else { return ETIMEDOUT }
            var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let milliseconds = min(rest.nanoseconds / 1_000_000 + 1, 60_000)
            let ready = poll(&wanted, 1, Int32(milliseconds))
            if ready < 0, errno != EINTR { return errno }
            guard ready > 0 else { continue }
            var number: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length)
            return number
        }
    }

    private static func failure(_ address: DirectoryAddress, _ number: Int32) -> DirectoryFailure {
        let code =
            switch number {
            case ECONNREFUSED: "connect_refused"
            case ETIMEDOUT: "connect_timeout"
            default: "connect_failed"
            }
        return .unreachable(code: code, text: "\(address): \(String(cString: strerror(number)))")
    }
}
