import Glibc
import WeirDelivery
package import WeirWorld

/// Looks up hosts with the operating system's resolver, on a thread of its own: `getaddrinfo` blocks, up to half a
/// minute when the name server is gone.
package struct LiveResolver: AddressResolver {
    private let lane: any BlockingLane

    package init(world: World) { lane = world.blocking.lane("weir-dns") }

    package func addresses(of host: String) async throws -> [String] {
        try await lane.run { LiveResolver.look(host) }
    }

    private static func look(_ host: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if code == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                if !addresses.contains(address) { addresses.append(address) }
            }
            next = entry.pointee.ai_next
        }
        // Sorted: the resolver rotates its answers, and the endpoints must not change places for that.
        return addresses.sorted()
    }
}
