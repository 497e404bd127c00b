/// Where a directory listens: `ldap://host:port` or `ldaps://host:port`.
package struct DirectoryAddress: Sendable, Hashable, CustomStringConvertible {
    package var isTLS: Bool
    package var host: String
    package var port: UInt16

    package init(isTLS: Bool, host: String, port: UInt16) {
        self.isTLS = isTLS
        self.host = host
        self.port = port
    }

    /// Nil for what is none: another scheme, no host, a port that is none, or something behind the port (a base or a
    /// filter of an LDAP URL would be ignored, so it is not accepted).
    package init?(_ text: String) {
        var rest = text[...]
        if rest.lowercased().hasPrefix("ldaps://") {
            isTLS = true
            rest = rest.dropFirst(8)
        } else if rest.lowercased().hasPrefix("ldap://") {
            isTLS = false
            rest = rest.dropFirst(7)
        } else {
            return nil
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var portText: Substring?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let tail = rest[rest.index(after: end)...]
            if !tail.isEmpty {
                guard tail.hasPrefix(":") else { return nil }
                portText = tail.dropFirst()
            }
        } else if let colon = rest.lastIndex(of: ":") {
            host = String(rest[..<colon])
            portText = rest[rest.index(after: colon)...]
            guard !host.contains(":") else { return nil }
        } else {
            host = String(rest)
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/?#@\\%<>\"".utf8.contains($0) })
        else { return nil }
        if let portText {
            guard let number = UInt16(portText), number > 0 else { return nil }
            port = number
        } else {
            port = isTLS ? 636 : 389
        }
    }

    package var description: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return "\(isTLS ? "ldaps" : "ldap")://\(shown):\(port)"
    }

    /// Whether what is sent there stays on this machine.
    package var isLoopback: Bool {
        host.lowercased() == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
