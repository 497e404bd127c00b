import Glibc

/// A loopback port where connections are refused, for as long as this lives: its socket is bound and does not listen,
/// so the kernel gives the port to nobody else. A port that somebody has just closed may be a neighbour's by now.
package final class RefusingPort {
    package let port: Int
    private let descriptor: CInt

    package struct Failure: Error {
        var number: CInt
    }

    package init() throws(Failure) {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let own = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(own, pointer, length) == 0 && getsockname(own, pointer, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else {
            let number = errno
            close(own)
            throw Failure(number: number)
        }
    }

    deinit { close(descriptor) }
}
