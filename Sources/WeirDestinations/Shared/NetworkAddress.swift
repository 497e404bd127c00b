import NIOCore

/// `host:port`, `[2001:db8::1]:port`.
package struct NetworkAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an IP address, without brackets.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Returns: `nil` when it is not a host and a port in 1…65535.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = Int(digits), (1...65_535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            // An IPv6 address without brackets: where it ends is anybody's guess.
            return nil
        }
        guard !host.isEmpty, host.utf8.count <= 253,
            !host.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == 0x2F || $0 == 0x40 })
        else { return nil }
        self.host = host
        self.port = port
    }

    /// True where there is no name to look up.
    package var isLiteral: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    static let wanted = "must be a host and a port, such as `10.0.0.7:9000` or `[2001:db8::1]:9000`"
}
