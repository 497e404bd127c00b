import NIOCore
import Testing

@testable import WeirTunnel

#if canImport(Glibc)
    import Glibc
#endif

@Suite("A connection that stays on this machine")
struct LoopbackPathTests {
    @Test(
        "is known by its address",
        arguments: [
            ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("localhost", true), ("::", false),
            ("0.0.0.0", false), ("10.0.0.1", false), ("128.0.0.1", false), ("fe80::1", false), ("hub.example", false),
        ])
    func addresses(_ host: String, _ holds: Bool) { #expect(LoopbackPath.holds(host) == holds) }

    #if os(Linux)
        @Test("is not paced: who listens there has another congestion control than who listens everywhere")
        func congestion() throws {
            let usual = try ClientAcceptor.listen(SocketAddress(ipAddress: "0.0.0.0", port: 0))
            let own = try ClientAcceptor.listen(SocketAddress(ipAddress: "127.0.0.1", port: 0))
            defer {
                close(usual)
                close(own)
            }
            let fresh = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            defer { close(fresh) }
            #expect(Self.control(of: own) == "reno")
            #expect(Self.control(of: usual) == Self.control(of: fresh))
        }

        private static func control(of descriptor: CInt) -> String {
            var name = [UInt8](repeating: 0, count: 16)
            var size = socklen_t(name.count)
            getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_CONGESTION, &name, &size)
            return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        }
    #endif
}
