internal import NIOCore
internal import WeirWires

/// Identifiers of STIX objects: `vulnerability--` and a UUID.
///
/// They are made from what an object is, not by chance, so that the same thing has the same identifier whoever imports
/// it and however often. OpenCTI makes its own in this way: what a connector makes here is what pycti's `generate_id`
/// makes.
public enum STIXIdentifier {
    /// The namespace of STIX 2.1 for UUIDs of version 5 (section 2.9).
    private static let namespace: [UInt8] = [
        0x00, 0xAB, 0xED, 0xB4, 0xAA, 0x42, 0x46, 0x6C, 0x9C, 0x01, 0xFE, 0xD2, 0x33, 0x15, 0xA9, 0xB7,
    ]

    /// The identifier of a vulnerability by its name, such as `CVE-2021-44228`.
    public static func vulnerability(name: String) -> String {
        make("vulnerability", from: ["name": normal(name)])
    }

    /// The identifier of a person or an organization.
    /// - Parameter identityClass: `organization`, `individual`, `system`, … (STIX 2.1 section 10.5).
    public static func identity(name: String, identityClass: String) -> String {
        make("identity", from: ["name": normal(name), "identity_class": identityClass.lowercased()])
    }

    /// The identifier of any object that is known by some of its properties.
    /// - Parameters:
    ///   - type: the STIX type.
    ///   - properties: what makes the object the one it is; their order does not matter.
    public static func make(_ type: String, from properties: [String: String]) -> String {
        "\(type)--\(uuid(of: canonical(properties)))"
    }

    /// As pycti compares names.
    private static func normal(_ name: String) -> String {
        var text = Substring(name.lowercased())
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// JSON in its canonical form (RFC 8785); of an object of strings that is: sorted, and no space.
    private static func canonical(_ properties: [String: String]) -> [UInt8] {
        let sorted = properties.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
        let object = JSONObject(sorted.map { JSONObject.Member($0.key, .string($0.value)) })
        return Array(JSONValue.object(object).json.utf8)
    }

    private static func uuid(of name: [UInt8]) -> String {
        var bytes = Array(SHA1.digest(namespace + name).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x50
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUIDText.text(bytes)
    }
}

/// A UUID as it is written.
enum UUIDText {
    /// - Parameter bytes: 16 of them.
    static func text(_ bytes: [UInt8]) -> String {
        let digits = bytes.flatMap { [hex($0 >> 4), hex($0 & 0x0F)] }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    /// Of version 4, from two random numbers.
    static func random(_ high: UInt64, _ low: UInt64) -> String {
        let high = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return text(
            [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } })
    }

    private static func hex(_ nibble: UInt8) -> Character {
        Character(Unicode.Scalar(nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10))
    }
}
