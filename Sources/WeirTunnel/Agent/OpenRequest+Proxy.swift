internal import WeirWires

extension OpenRequest {
    /// Type of the addition that carries the decision's name; from 0xE0 on they are free for applications.
    static let decisionType: UInt8 = 0xE0

    /// Who the client is, for a target that wants to know (PROXY protocol, version 2).
    var proxyHeader: [UInt8] {
        func end(_ text: String?) -> (bytes: [UInt8], port: UInt16)? {
            guard let address = text.flatMap({ ClientAddress($0) }), let bits = AddressBits(address.host) else {
                return nil
            }
            return (bits.bytes, UInt16(clamping: address.port))
        }
        let additions = decision.map { [ProxyHeader.Addition(type: Self.decisionType, value: Array($0.utf8))] } ?? []
        return ProxyHeader.binary(client: end(client), server: end(listener), additions: additions)
    }
}
