internal import Glibc
internal import NIOCore

/// A client's connection before anything was read from it.
package struct AcceptedClient: Sendable {
    /// Whoever gets it closes it.
    package var descriptor: CInt
    /// Number of the listener that it came to.
    package var listener: Int
    /// Who it is: the peer of the connection, or whom a balancer speaks for.
    package var client: ClientAddress?
    /// Where it came to.
    package var server: ClientAddress?

    var bits: AddressBits? { client.flatMap { AddressBits($0.host) } }

    /// It has reset its connection. One that has only finished is there: it may have said all and wait for the answer.
    static func hasLeft(_ descriptor: CInt) -> Bool {
        var state = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&state, 1, 0) == 1 && state.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
    }
}

extension ClientAddress {
    init?(_ address: SocketAddress?) {
        guard let host = address?.ipAddress, let port = address?.port else { return nil }
        self.init(host: host, port: port)
    }
}
