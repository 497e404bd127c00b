internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// Connections that do not leave this machine: an agent beside its target, a proxy beside its hub.
///
/// Linux controls congestion on loopback too, by the system's usual algorithm; where that is BBR, each of the
/// kernel's segments waits for a timer. Nothing is congested there, so `reno` is chosen, which every kernel has and
/// lets everybody choose, and which sends as fast as the other side takes. It has to be chosen before a connection
/// stands; what was accepted has it from the socket that listens.
enum LoopbackPath {
    /// Names other than `localhost` are not looked up.
    static func holds(_ host: String) -> Bool {
        host == "localhost"
            || AddressBits(host).map { $0.isIPv4 ? $0.bytes[0] == 127 : $0.high == 0 && $0.low == 1 } == true
    }

    #if os(Linux)
        // The name itself as eight bytes, ended by zeros.
        private static let algorithm = Int(bigEndian: 0x7265_6E6F_0000_0000)

        /// Before it connects to `host`, or listens there. It works without as well.
        static func prepare(_ channel: any Channel, to host: String) {
            guard holds(host) else { return }
            try? channel.syncOptions?.setOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_CONGESTION)), value: algorithm)
        }

        static func prepare(_ descriptor: CInt, at host: String) {
            guard holds(host) else { return }
            var name = algorithm
            setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_CONGESTION, &name, socklen_t(MemoryLayout<Int>.size))
        }
    #else
        static func prepare(_ channel: any Channel, to host: String) {}
        static func prepare(_ descriptor: CInt, at host: String) {}
    #endif
}
