import NIOCore
import NIOSSL
import WeirCalls
import WeirSettings

/// Where a stream connection goes, and how.
struct StreamTarget: Sendable {
    var address: NetworkAddress
    /// One of the addresses that the host was looked up to; `nil` to look it up when connecting.
    var resolved: String?
    var tls: TLSSettings?
    /// Time for connecting, TLS included. Default 10 s. Source: seeds/2 and research/destinations.md 1.3.
    var connectTimeout = Duration.seconds(10)
    /// The socket takes nothing for this long: the connection is given up. Default 60 s. Source: the same.
    var writeTimeout = Duration.seconds(60)
    var keepsAlive = true

    /// The name to verify; `nil` for an IP address, which is then verified itself.
    var serverName: String? {
        if let name = tls?.serverName, !name.isEmpty { return name }
        return address.isLiteral ? nil : address.host
    }
}
