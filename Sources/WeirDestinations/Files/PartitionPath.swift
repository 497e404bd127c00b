import WeirWorld

/// The directories that a partition's text stands for, made harmless: whatever an event contains, no component is
/// empty, `.`, `..`, hidden, longer than 128 bytes, or holds anything but ASCII letters, digits and `-_=+@,.:`; all
/// else is written as `%XX`.
///
/// | text | directories |
/// | --- | --- |
/// | `2026/11/21` | `2026`, `11`, `21` |
/// | `../../etc` | `%2E%2E`, `%2E%2E`, `etc` |
/// | `a//b/` | `a`, `b` |
/// | `%2e%2e` | `%252e%252e` |
/// | `.ssh` | `%2Essh` |
/// | `grün` | `gr%C3%BCn` |
///
/// Two texts that differ end in different directories, but for empty components; long ones are cut and get a hash.
package struct PartitionPath: Sendable, Hashable {
    package let components: [String]

    package static let root = PartitionPath(components: [])
    /// Deeper ones: the rest becomes part of the last component.
    static let depthMost = 10
    static let componentBytesMost = 128

    private init(components: [String]) { self.components = components }

    package init(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: PartitionPath.depthMost - 1)
        components = parts.map { PartitionPath.encode(Array($0)) }
    }

    package var text: String { components.joined(separator: "/") }

    private static func encode(_ bytes: [UInt8]) -> String {
        var safe: [UInt8] = []
        safe.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            // A dot at the beginning would make "..", "." or a hidden name.
            if isSafe(byte),
                !(byte == UInt8(ascii: ".") && index == 0)
                    && !(byte == UInt8(ascii: ".") && bytes.allSatisfy { $0 == byte })
            {
                safe.append(byte)
            } else {
                safe += [UInt8(ascii: "%"), hex(byte >> 4), hex(byte & 15)]
            }
        }
        if safe.count > componentBytesMost {
            safe = safe.prefix(componentBytesMost - 17) + Array("~".utf8) + hash(bytes)
        }
        return String(decoding: safe, as: UTF8.self)
    }

    private static func isSafe(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A)
            || "-_=+@,.:".utf8.contains(byte)
    }

    private static func hex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x41 + nibble - 10 }

    // FNV-1a, 64 bits: only keeps apart what was cut.
    private static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (0..<16).map { hex(UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * $0)) & 15) }
    }
}
