/// Where the API listens. Only loopback: there is no sign-in yet, and whoever reaches the API may hold gates and read
/// events.
struct ListenAddress: Sendable, Hashable {
    var host: String
    /// 0 lets the system choose.
    var port: Int

    /// - Parameter text: `127.0.0.1:9471`, `[::1]:9471`, `localhost:9471`.
    init(_ text: String) throws(ConsoleFailure) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else {
            throw ConsoleFailure("\"\(text)\" is not an address to listen on; expected something like 127.0.0.1:9471.")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard Self.isLoopback(host) else {
            throw ConsoleFailure(
                "The console listens on loopback only, because it has no sign-in yet; api.listen is \"\(text)\". "
                    + "Use 127.0.0.1:\(port), and reach it from elsewhere with: ssh -L \(port):127.0.0.1:\(port) HOST")
        }
        self.host = host == "localhost" ? "127.0.0.1" : host
        self.port = port
    }

    /// Names and literal addresses that always mean this machine; a name that is looked up could mean another one
    /// tomorrow.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts.first == 127 && !parts.contains(nil)
    }
}

/// Why the console could not start.
package struct ConsoleFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}
