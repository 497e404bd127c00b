/// Where an agent finds its hub.
///
/// | written | what happens |
/// | --- | --- |
/// | `wss://hub.example/tunnel` | TLS 1.3; yamux straight on it where the hub's own TLS answers, else WebSocket |
/// | `tls://hub.example:8765` | TLS 1.3 and yamux |
/// | `ws://127.0.0.1:8765/tunnel` | WebSocket without TLS: to a proxy on the same machine that brings it |
/// | `tcp://127.0.0.1:8765` | yamux without TLS: to a hub on the same machine, or to what carries it there safely |
package struct HubAddress: Sendable, Hashable, CustomStringConvertible {
    package enum Scheme: String, Sendable, Hashable {
        case wss, tls, ws, tcp
    }

    package var scheme: Scheme
    /// Without brackets.
    package var host: String
    package var port: Int
    package var path: String

    package init?(_ text: some StringProtocol) {
        guard let colon = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: text[..<colon.lowerBound].lowercased())
        else { return nil }
        let rest = text[colon.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let end = HostPort(rest[..<slash], port: scheme == .wss ? 443 : scheme == .ws ? 80 : nil),
            !rest.contains(where: { $0.isWhitespace || $0 == "@" || $0 == "#" })
        else { return nil }
        self.scheme = scheme
        (host, port) = (end.host, end.port)
        path = slash == rest.endIndex ? "/tunnel" : String(rest[slash...])
    }

    package var usesTLS: Bool { scheme == .wss || scheme == .tls }
    /// Without TLS tokens and data are only good where nobody else can read them: at this machine's own addresses.
    package var isSafe: Bool {
        usesTLS || LoopbackPath.holds(host)
    }

    /// `hub.example:443`, with brackets round an IPv6 address.
    var authority: String { HostPort(host: host, port: port).description }
    package var description: String { "\(scheme)://\(authority)\(scheme == .tls || scheme == .tcp ? "" : path)" }
}

/// `host:port`, `[2001:db8::1]:443`, or a host alone where a port goes without saying.
struct HostPort: Sendable, Hashable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(_ text: some StringProtocol, port: Int?) {
        var host = String(text)
        var number = port
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let written = Int(rest.dropFirst()) else { return nil }
                number = written
            }
            host = String(host[host.index(after: host.startIndex)..<end])
            guard AddressBits(host)?.isIPv4 == false else { return nil }
        } else if let colon = host.lastIndex(of: ":") {
            guard let written = Int(host[host.index(after: colon)...]) else { return nil }
            number = written
            host = String(host[..<colon])
            guard !host.contains(":") else { return nil }
        }
        guard let number, (1...65_535).contains(number), !host.isEmpty else { return nil }
        self.host = host
        self.port = number
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
