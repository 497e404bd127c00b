/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses in hexadecimal are the IPv4 address; with dots in them they are
/// refused, as the language definition of the network extension has it.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    let bytes: [UInt8]
    var isFour: Bool { bytes.count == 4 }

    init(bytes: [UInt8]) { self.bytes = bytes }

    package init?(_ text: String) {
        let characters = Array(text.utf8)
        guard characters.count <= 45 else { return nil }
        if characters.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(characters) else { return nil }
            let bytes = groups.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
            self.init(bytes: bytes)
        } else {
            guard let bytes = Self.four(characters) else { return nil }
            self.init(bytes: bytes)
        }
    }

    /// Four decimal numbers without leading zeros.
    private static func four(_ text: [UInt8]) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.count >= 1, part.count <= 3, part.allSatisfy({ $0 >= 48 && $0 <= 57 }),
                part.count == 1 || part.first != 48
            else { return nil }
            let number = part.reduce(0) { $0 * 10 + Int($1 - 48) }
            guard number <= 255 else { return nil }
            bytes.append(UInt8(number))
        }
        return bytes
    }

    private static func groups(_ text: [UInt8]) -> [UInt16]? {
        var before: [UInt16] = []
        var after: [UInt16] = []
        var isAfter = false
        var at = 0
        if text.starts(with: [58, 58]) {
            isAfter = true
            at = 2
        } else if text.first == 58 {
            return nil
        }
        while at < text.count {
            var value: UInt32 = 0
            var digits = 0
            while at < text.count, text[at] != 58 {
                let digit: UInt32
                switch text[at] {
                case 48...57: digit = UInt32(text[at] - 48)
                case 65...70: digit = UInt32(text[at] - 55)
                case 97...102: digit = UInt32(text[at] - 87)
                default: return nil
                }
                value = value << 4 | digit
                digits += 1
                at += 1
                guard digits <= 4 else { return nil }
            }
            guard digits > 0 else { return nil }
            if isAfter { after.append(UInt16(value)) } else { before.append(UInt16(value)) }
            guard at < text.count else { break }
            at += 1
            guard at < text.count else { return nil }
            if text[at] == 58 {
                guard !isAfter else { return nil }
                isAfter = true
                at += 1
            }
        }
        let missing = 8 - before.count - after.count
        guard isAfter ? missing >= 1 : missing == 0 else { return nil }
        return before + Array(repeating: 0, count: missing) + after
    }

    /// The IPv4 address that an IPv6 address stands for, or itself: what two addresses are compared by.
    private var canonical: [UInt8] {
        guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 255, bytes[11] == 255 else {
            return bytes
        }
        return Array(bytes[12...])
    }

    package static func == (left: IPAddress, right: IPAddress) -> Bool { left.canonical == right.canonical }
    package func hash(into hasher: inout Hasher) { hasher.combine(canonical) }

    var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
    var isLoopback: Bool { isFour ? bytes[0] == 127 : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1 }
    var isMulticast: Bool { isFour ? bytes[0] & 0xF0 == 0xE0 : bytes[0] == 0xFF }
    var isLinkLocalUnicast: Bool {
        isFour ? bytes[0] == 169 && bytes[1] == 254 : bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80
    }
    var isLinkLocalMulticast: Bool {
        isFour ? bytes[..<3].elementsEqual([224, 0, 0]) : bytes[0] == 0xFF && bytes[1] & 0x0F == 2
    }
    var isGlobalUnicast: Bool {
        !(isFour && bytes.allSatisfy { $0 == 255 }) && !isUnspecified && !isLoopback && !isMulticast
            && !isLinkLocalUnicast
    }

    /// RFC 5952 for IPv6: lower case, the longest run of two or more zero groups as `::`.
    package var description: String {
        if isFour { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(bytes[$0 * 2]) << 8 | UInt16(bytes[$0 * 2 + 1]) }
        var best = 0..<0
        var at = 0
        while at < 8 {
            var end = at
            while end < 8, groups[end] == 0 { end += 1 }
            if end - at >= 2, end - at > best.count { best = at..<end }
            at = max(end, at + 1)
        }
        func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}

/// A network in CIDR notation: an address and the length of its prefix.
package struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    let address: IPAddress
    let prefix: Int

    init(address: IPAddress, prefix: Int) {
        self.address = address
        self.prefix = prefix
    }

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), !parts[1].isEmpty, parts[1].utf8.count <= 3,
            parts[1].utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let prefix = Int(parts[1]),
            prefix <= address.bytes.count * 8, parts[1].utf8.count == 1 || !parts[1].hasPrefix("0")
        else { return nil }
        self.init(address: address, prefix: prefix)
    }

    private static func masked(_ bytes: [UInt8], _ prefix: Int) -> [UInt8] {
        bytes.enumerated().map { at, byte in
            let kept = min(max(prefix - at * 8, 0), 8)
            return kept == 0 ? 0 : byte & (0xFF << UInt8(8 - kept))
        }
    }

    var masked: IPNetwork { IPNetwork(address: IPAddress(bytes: Self.masked(address.bytes, prefix)), prefix: prefix) }

    func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count
            && Self.masked(other.bytes, prefix) == Self.masked(address.bytes, prefix)
    }

    func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }

    package var description: String { "\(address)/\(prefix)" }
}
