extension Library {
    static let networks: [Function] = [
        Function(
            "ip", ["(string) net.IP", "net.CIDR.() net.IP"],
            .one { (value) throws(ExpressionFailure) in
                switch value {
                case .string(let text): return .address(try address(text))
                case .network(let network): return .address(network.address)
                default: throw Function.mismatch("ip", value)
                }
            }),
        Function(
            "cidr", ["(string) net.CIDR"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("cidr", value) }
                return .network(try network(text))
            }),
        Function(
            "isIP", ["(string) bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("isIP", value) }
                return .bool((try? address(text)) != nil)
            }),
        Function(
            "isCIDR", ["(string) bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("isCIDR", value) }
                return .bool((try? network(text)) != nil)
            }),
        Function(
            "ip.isCanonical", ["(string) bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .string(let text) = value else { throw Function.mismatch("ip.isCanonical", value) }
                return .bool(Text.areEqual(try address(text).description, text))
            }),
        question("isUnspecified") { $0.isUnspecified },
        question("isLoopback") { $0.isLoopback },
        question("isGlobalUnicast") { $0.isGlobalUnicast },
        question("isLinkLocalMulticast") { $0.isLinkLocalMulticast },
        question("isLinkLocalUnicast") { $0.isLinkLocalUnicast },
        Function(
            "family", ["net.IP.() int"],
            .one { (value) throws(ExpressionFailure) in
                guard case .address(let address) = value else { throw Function.mismatch("family", value) }
                return .int(address.isFour ? 4 : 6)
            }),
        Function(
            "containsIP", ["net.CIDR.(net.IP) bool", "net.CIDR.(string) bool"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .network(let outer) = value else { throw Function.mismatch("containsIP", value, other) }
                switch other {
                case .address(let inner): return .bool(outer.contains(inner))
                case .string(let text): return .bool(outer.contains(try address(text)))
                default: throw Function.mismatch("containsIP", value, other)
                }
            }),
        Function(
            "containsCIDR", ["net.CIDR.(net.CIDR) bool", "net.CIDR.(string) bool"],
            .two { (value, other) throws(ExpressionFailure) in
                guard case .network(let outer) = value else { throw Function.mismatch("containsCIDR", value, other) }
                switch other {
                case .network(let inner): return .bool(outer.contains(inner))
                case .string(let text): return .bool(outer.contains(try network(text)))
                default: throw Function.mismatch("containsCIDR", value, other)
                }
            }),
        Function(
            "masked", ["net.CIDR.() net.CIDR"],
            .one { (value) throws(ExpressionFailure) in
                guard case .network(let network) = value else { throw Function.mismatch("masked", value) }
                return .network(network.masked)
            }),
        Function(
            "prefixLength", ["net.CIDR.() int"],
            .one { (value) throws(ExpressionFailure) in
                guard case .network(let network) = value else { throw Function.mismatch("prefixLength", value) }
                return .int(Int64(network.prefix))
            }),
    ]

    private static func question(_ name: String, _ body: @escaping @Sendable (IPAddress) -> Bool) -> Function {
        Function(
            name, ["net.IP.() bool"],
            .one { (value) throws(ExpressionFailure) in
                guard case .address(let address) = value else { throw Function.mismatch(name, value) }
                return .bool(body(address))
            })
    }

    private static func address(_ text: String) throws(ExpressionFailure) -> IPAddress {
        if text.utf8.contains(UInt8(ascii: "%")) {
            throw ExpressionFailure(.invalidArgument, "IP Address with zone value is not allowed")
        }
        guard let address = IPAddress(text) else {
            throw ExpressionFailure(
                .invalidArgument, "IP Address \(Library.quoted(text)) parse error during conversion from string")
        }
        return address
    }

    private static func network(_ text: String) throws(ExpressionFailure) -> IPNetwork {
        if text.utf8.contains(UInt8(ascii: "%")) {
            throw ExpressionFailure(.invalidArgument, "CIDR with zone value is not allowed")
        }
        guard let network = IPNetwork(text) else {
            throw ExpressionFailure(.invalidArgument, "network address parse error during conversion from string")
        }
        return network
    }
}
