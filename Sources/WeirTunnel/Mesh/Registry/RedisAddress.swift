/// Where a registry is: `redis://HOST:6379`, `rediss://HOST:6379/2` with TLS and another database.
package struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    package var usesTLS: Bool
    /// Without brackets.
    package var host: String
    package var port: Int
    package var database: Int

    /// - Returns: `nil` for anything else, and for an address with a user or a password in it: secrets go by reference.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.firstRange(of: "://") else { return nil }
        switch text[..<colon.lowerBound].lowercased() {
        case "redis": usesTLS = false
        case "rediss": usesTLS = true
        default: return nil
        }
        let parts = text[colon.upperBound...].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.contains("@"), let end = HostPort(first, port: 6_379) else { return nil }
        (host, port) = (end.host, end.port)
        let path = parts.count > 1 ? String(parts[1]) : ""
        guard let number = path.isEmpty ? 0 : Int(path), (0..<1_000_000).contains(number) else { return nil }
        database = number
    }

    package var description: String { "\(HostPort(host: host, port: port))" }
}
