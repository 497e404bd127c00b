/// A host and a port as an operator writes them: `10.0.0.7:9000`, `[2001:db8::1]:9000`, `siem.example.org:9000`.
package struct NetworkAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an IP address, without brackets.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// An address to send to.
    /// - Returns: `nil` when it is not a host and a port in 1…65535.
    package init?(_ text: String) {
        self.init(text, ports: 1...65_535)
        if host.isEmpty { return nil }
    }

    /// An address to listen at: `[::1]:5514`; `:5514` and `*:5514` are all addresses of the machine (`::`), and port 0
    /// lets the system choose.
    package init?(listening text: String) {
        self.init(text, ports: 0...65_535)
        if host.isEmpty || host == "*" { host = "::" }
    }

    private init?(_ text: String, ports: ClosedRange<Int>) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = Int(digits), ports.contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            // An IPv6 address without brackets: where it ends is anybody's guess.
            return nil
        }
        guard host.utf8.count <= 253,
            !host.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F || $0 == 0x2F || $0 == 0x40 })
        else { return nil }
        self.init(host: host, port: port)
    }

    /// The host as it stands before a port or in a URL: an IPv6 address in brackets.
    package static func bracketed(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    package var description: String { "\(Self.bracketed(host)):\(port)" }

    package static let wanted = "must be a host and a port, such as `10.0.0.7:9000` or `[2001:db8::1]:9000`"
}
