import WeirSettings

/// Where the API listens. Only loopback: there is no sign-in yet, and whoever reaches the API may hold gates and read
/// events.
package struct APIAddress: Sendable, Hashable {
    package var host: String
    /// 0 lets the system choose.
    package var port: Int

    /// Why an address is none for the API, and what to write instead.
    package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        package var message: String
        package var help: String
        package var description: String { "\(message); \(help)" }
    }

    /// - Parameter text: `127.0.0.1:9471`, `[::1]:9471`, `localhost:9471`.
    package init(_ text: String) throws(Refusal) {
        guard let address = NetworkAddress(listening: text) else {
            throw Refusal(message: "`\(text)` is not an address and a port", help: "write `127.0.0.1:9471`, or `off`")
        }
        guard Self.isLoopback(address.host) else {
            throw Refusal(
                message: "the API listens on loopback only, because it has no sign-in yet; this is `\(text)`",
                help: "write `127.0.0.1:\(address.port)`, and reach it from elsewhere with "
                    + "`ssh -L \(address.port):127.0.0.1:\(address.port) HOST`")
        }
        host = address.host == "localhost" ? "127.0.0.1" : address.host
        port = address.port
    }

    /// Names and literal addresses that always mean this machine; a name that is looked up could mean another one
    /// tomorrow.
    package static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts.first == 127 && !parts.contains(nil)
    }
}
