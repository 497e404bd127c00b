import NIOCore
package import WeirSettings

extension NetworkAddress {
    /// True where there is no name to look up.
    package var isLiteral: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }
}
