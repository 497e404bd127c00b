/// A range of addresses as operators write it: `10.0.0.0/8`, `2001:db8::/32`, or one address. IPv4 addresses that come
/// mapped into IPv6 (`::ffff:10.0.0.9`) are IPv4 here, so that one rule covers both.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// 16 bytes; IPv4 in its mapped form.
    private var high: UInt64
    private var low: UInt64
    /// Of 128; 96 more than the operator writes for IPv4.
    private var prefix: Int
    private var isIPv4: Bool

    /// - Returns: `nil` when the text is no range, has bits beyond its prefix, or a prefix that its family does not
    ///   have.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = AddressBits(first) else { return nil }
        let most = address.isIPv4 ? 32 : 128
        var length = most
        if parts.count == 2 {
            guard let written = Int(parts[1]), (0...most).contains(written), parts[1].allSatisfy(\.isNumber) else {
                return nil
            }
            length = written
        }
        self.init(address, prefix: length + (address.isIPv4 ? 96 : 0))
        guard high == address.high, low == address.low else { return nil }
    }

    private init(_ address: AddressBits, prefix: Int) {
        self.prefix = prefix
        isIPv4 = address.isIPv4
        high = address.high & Self.mask(prefix)
        low = address.low & Self.mask(prefix - 64)
    }

    // The first `count` bits of 64.
    private static func mask(_ count: Int) -> UInt64 { count <= 0 ? 0 : count >= 64 ? .max : ~(.max >> UInt64(count)) }

    package func contains(_ address: AddressBits) -> Bool {
        address.high & Self.mask(prefix) == high && address.low & Self.mask(prefix - 64) == low
    }

    package var description: String {
        "\(AddressBits(high: high, low: low))/\(isIPv4 ? prefix - 96 : prefix)"
    }
}

/// An IP address as 128 bits.
package struct AddressBits: Sendable, Hashable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 4 or 16 bytes, in network order.
    package var bytes: [UInt8] {
        let all = [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
        return isIPv4 ? Array(all.suffix(4)) : all
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Numbers only; names are not looked up. A zone (`%eth0`) is dropped.
    package init?(_ text: some StringProtocol) {
        let plain = text.prefix { $0 != "%" }
        if !plain.contains(":") {
            guard let bits = Self.four(plain) else { return nil }
            self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(bits))
            return
        }
        guard let groups = Self.eight(plain) else { return nil }
        self.init(
            high: groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) })
    }

    private static func four(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            // No leading zeros: some read them as octal.
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
            else { return nil }
            bits = bits << 8 | UInt32(byte)
        }
        return bits
    }

    // RFC 4291 section 2.2: eight groups, one run of zeros as `::`, the last 32 bits in IPv4's form.
    private static func eight(_ text: some StringProtocol) -> [UInt16]? {
        let text = String(text)
        let halves = split(text)
        guard halves.count <= 2 else { return nil }
        guard let front = groups(halves[0], isLast: halves.count == 1) else { return nil }
        guard halves.count == 2 else { return front.count == 8 ? front : nil }
        guard let back = groups(halves[1], isLast: true), front.count + back.count < 8 else { return nil }
        return front + Array(repeating: 0, count: 8 - front.count - back.count) + back
    }

    private static func split(_ text: String) -> [Substring] {
        var halves: [Substring] = []
        var rest = text[...]
        while let place = rest.firstRange(of: "::") {
            halves.append(rest[..<place.lowerBound])
            rest = rest[place.upperBound...]
        }
        return halves + [rest]
    }

    private static func groups(_ text: Substring, isLast: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var found: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (place, part) in parts.enumerated() {
            if isLast, place == parts.count - 1, part.contains(".") {
                guard let bits = four(part) else { return nil }
                found += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
            } else {
                guard (1...4).contains(part.utf8.count),
                    part.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                found.append(group)
            }
        }
        return found.count <= 8 ? found : nil
    }

    /// Without shortening zeros: for messages, not for comparing texts.
    package var description: String {
        if isIPv4 { return (0..<4).map { "\(low >> UInt64(24 - 8 * $0) & 0xFF)" }.joined(separator: ".") }
        return [high, low].flatMap { word in
            (0..<4).map { String(word >> UInt64(48 - 16 * $0) & 0xFFFF, radix: 16) }
        }.joined(separator: ":")
    }
}
