internal import Foundation

/// Which HTTP proxy an agent goes through, if any: a value made from settings, or from `HTTPS_PROXY` and `NO_PROXY`
/// where the operator has said that the environment counts.
package struct ProxyChoice: Sendable, Hashable {
    package var host: String
    package var port: Int
    /// `Basic …` or `Bearer …`.
    package var authorization: String?
    /// Hosts that are reached without it.
    private var exceptions: [Exception] = []

    private enum Exception: Sendable, Hashable {
        case everything
        case range(AddressRange)
        /// `example.org` with all below it, and a port where one was written.
        case name(String, Int?)
    }

    /// - Parameters:
    ///   - url: `http://user:password@proxy.example:3128`; without a scheme it is `http` too. A proxy that is itself
    ///     reached by TLS is not spoken to.
    ///   - exceptions: as in `NO_PROXY`: names, `.names`, addresses, ranges, `*`, by commas.
    /// - Returns: `nil` when the URL is none.
    package init?(url: String, exceptions: String = "") {
        let parts = url.split(separator: "://", maxSplits: 1).map(String.init)
        if parts.count == 2, parts[0].lowercased() != "http" { return nil }
        guard var rest = parts.last else { return nil }
        if rest.hasSuffix("/") { rest.removeLast() }
        if let at = rest.lastIndex(of: "@") {
            let user = String(rest[..<at]).removingPercentEncoding ?? String(rest[..<at])
            authorization = "Basic " + Data(user.utf8).base64EncodedString()
            rest = String(rest[rest.index(after: at)...])
        }
        guard let end = HostPort(rest, port: 3_128) else { return nil }
        (host, port) = (end.host, end.port)
        self.exceptions = Self.exceptions(exceptions)
    }

    /// - Returns: `nil` when the environment names no proxy that can be used.
    package static func environment(_ variables: [String: String]) -> ProxyChoice? {
        func value(_ name: String) -> String? {
            [variables[name.lowercased()], variables[name]].compactMap(\.self).first { !$0.isEmpty }
        }
        guard let url = value("HTTPS_PROXY") ?? value("ALL_PROXY") else { return nil }
        return ProxyChoice(url: url, exceptions: value("NO_PROXY") ?? "")
    }

    private static func exceptions(_ text: String) -> [Exception] {
        text.split(separator: ",").compactMap { word in
            let word = word.trimmingCharacters(in: .whitespaces).lowercased()
            if word == "*" { return .everything }
            if let range = AddressRange(word) { return .range(range) }
            let end = HostPort(word, port: 1)
            let name = (end?.host ?? word).drop { $0 == "." || $0 == "*" }
            return name.isEmpty ? nil : .name(String(name), word.contains(":") ? end?.port : nil)
        }
    }

    package func isUsed(for host: String, port: Int) -> Bool {
        let host = host.lowercased()
        let address = AddressBits(host)
        return !exceptions.contains { exception in
            switch exception {
            case .everything: true
            case .range(let range): address.map(range.contains) ?? false
            case .name(let name, let only):
                (host == name || host.hasSuffix("." + name)) && (only == nil || only == port)
            }
        }
    }
}
