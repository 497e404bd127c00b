internal import Glibc
internal import WeirWires
internal import WeirWorld

/// A balancer's connection whose PROXY header has not come yet. The header is looked at in the kernel (`MSG_PEEK`) and
/// taken only when it is whole, so that not one byte of the client is taken with it.
struct HeaderWaiting {
    var client: AcceptedClient
    var until: Moment
    /// A part of the header is there: that there is something to read is no news.
    var isPartial = false

    /// Connections that may wait at the same time; more are refused.
    static let most = 1_024
    /// A balancer sends the header with its first segment; 5 s.
    static let patience = Duration.seconds(5)

    enum Reading {
        case client(AcceptedClient)
        case partial
        case mistake
    }

    func read() -> Reading {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(client.descriptor, &bytes, bytes.count, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        guard count > 0 else { return count < 0 && errno == EAGAIN ? .partial : .mistake }
        switch ProxyHeader.read(Array(bytes[..<count])) {
        case .partial: return .partial
        case .mistake: return .mistake
        case .whole(let header, let length):
            guard recv(client.descriptor, &bytes, length, CInt(MSG_DONTWAIT)) == length else { return .mistake }
            var client = client
            // A balancer that speaks for itself (a health check) is its own client.
            if let told = header.client { client.client = ClientAddress(host: told.address, port: Int(told.port)) }
            if let told = header.server { client.server = ClientAddress(host: told.address, port: Int(told.port)) }
            return .client(client)
        }
    }
}
