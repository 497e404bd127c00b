internal import NIOCore
internal import WeirFlow
internal import WeirGates
internal import WeirSettings

/// `127.0.0.1:5514`, `[::1]:5514`, `localhost:5514`, `:5514` (all addresses), `unix:/run/weir.sock`.
struct ListenAddress: Sendable, Hashable {
    enum Place: Sendable, Hashable {
        case port(NetworkAddress)
        case path(String)
    }

    let place: Place

    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            // The length of sun_path, without the final zero.
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            place = .path(path)
            return
        }
        guard let address = NetworkAddress(listening: text) else { return nil }
        place = .port(address)
    }

    /// For a field's `check`.
    static let complaint: @Sendable (String) -> String? = { text in
        ListenAddress(text) == nil ? "must be HOST:PORT, for example `127.0.0.1:5514`" : nil
    }

    func resolved() throws(SourceFailure) -> SocketAddress {
        do {
            switch place {
            case .path(let path): return try SocketAddress(unixDomainSocketPath: path)
            case .port(let address):
                return try SocketAddress.makeAddressResolvingHost(address.host, port: address.port)
            }
        } catch {
            throw SourceFailure(
                Reason("bad_address", "The address to listen at cannot be found: \(self)."),
                help: "Write an address of this machine, for example 127.0.0.1.")
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    var description: String {
        switch place {
        case .path(let path): "unix:\(path)"
        case .port(let address): "\(address)"
        }
    }
}

extension SocketAddress {
    /// For people: `127.0.0.1:5514`, `[::1]:5514`, `unix:/run/weir.sock`.
    var plainText: String {
        if let ip = ipAddress, let port { return NetworkAddress(host: ip, port: port).description }
        return pathname.map { "unix:\($0)" } ?? "unknown"
    }
}

extension ListenAddress {
    static func check(_ listen: OneOrMany<String>) -> String? {
        for text in listen.values { if let problem = complaint(text) { return problem } }
        return nil
    }
}
