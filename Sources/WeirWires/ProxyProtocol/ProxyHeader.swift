/// The PROXY protocol (haproxy, doc/proxy-protocol.txt): who the client is, told by a balancer before the first byte of
/// the connection. Version 1 is a line of text, version 2 binary.
package struct ProxyHeader: Sendable, Hashable {
    /// Addresses in their text form; `nil` when the balancer speaks for itself (`UNKNOWN`, `LOCAL`).
    package var client: Endpoint?
    package var server: Endpoint?
    /// Additions of version 2 by type; types from 0xE0 on are free for applications.
    package var additions: [Addition] = []

    package struct Endpoint: Sendable, Hashable {
        package var address: String
        package var port: UInt16

        package init(address: String, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    package struct Addition: Sendable, Hashable {
        package var type: UInt8
        package var value: [UInt8]

        package init(type: UInt8, value: [UInt8]) {
            self.type = type
            self.value = value
        }
    }

    package init(client: Endpoint? = nil, server: Endpoint? = nil, additions: [Addition] = []) {
        self.client = client
        self.server = server
        self.additions = additions
    }

    /// A version 1 line is never longer, its end included.
    package static let lineMost = 107
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    package enum Reading: Sendable, Hashable {
        /// A header of so many bytes.
        case whole(ProxyHeader, length: Int)
        /// More bytes are needed.
        case partial
        /// This is no header. The connection must be closed: guessing would let clients lie.
        case mistake(String)
    }

    /// Reads a header from the beginning of a connection. Never reads beyond it.
    /// - Parameter most: longest version 2 header, its additions included; 4 KiB.
    package static func read(_ bytes: [UInt8], most: Int = 4_096) -> Reading {
        let start = bytes.prefix(signature.count)
        if start.elementsEqual(signature.prefix(start.count)), !start.isEmpty {
            return start.count < signature.count ? .partial : readBinary(bytes, most)
        }
        let word = Array("PROXY ".utf8)
        guard bytes.prefix(word.count).elementsEqual(word.prefix(bytes.count)) else {
            return .mistake("the connection does not begin with a PROXY header")
        }
        return readLine(bytes)
    }

    // MARK: Version 1

    private static func readLine(_ bytes: [UInt8]) -> Reading {
        guard let end = bytes.prefix(lineMost).firstIndex(of: 0x0A) else {
            return bytes.count >= lineMost ? .mistake("a PROXY line has at most 107 bytes") : .partial
        }
        guard end > 0, bytes[end - 1] == 0x0D else { return .mistake("a PROXY line ends with CR LF") }
        let words = String(decoding: bytes[..<(end - 1)], as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        if words.count >= 2, words[1] == "UNKNOWN" { return .whole(ProxyHeader(), length: end + 1) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6", let from = port(words[4]),
            let to = port(words[5]), isPlausible(words[2], words[1]), isPlausible(words[3], words[1])
        else { return .mistake("a PROXY line is `PROXY TCP4 client server clientport serverport`") }
        return .whole(
            ProxyHeader(
                client: Endpoint(address: words[2], port: from), server: Endpoint(address: words[3], port: to)),
            length: end + 1)
    }

    private static func port(_ text: String) -> UInt16? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), text == "0" || text.first != "0" else { return nil }
        return UInt16(text)
    }

    // Whether it really is an address, the reader of rules finds out.
    private static func isPlausible(_ address: String, _ family: String) -> Bool {
        !address.isEmpty && address.contains(family == "TCP4" ? "." : ":")
            && address.utf8.allSatisfy {
                ($0 >= 48 && $0 <= 58) || $0 == 46 || (($0 | 0x20) >= 97 && ($0 | 0x20) <= 102)
            }
    }

    // MARK: Version 2

    private static func readBinary(_ bytes: [UInt8], _ most: Int) -> Reading {
        guard bytes.count >= 16 else { return .partial }
        guard bytes[12] >> 4 == 2 else { return .mistake("PROXY header of version \(bytes[12] >> 4)") }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard 16 + length <= most else { return .mistake("a PROXY header of \(16 + length) bytes; at most \(most)") }
        guard bytes.count >= 16 + length else { return .partial }
        let command = bytes[12] & 0x0F
        guard command <= 1 else { return .mistake("PROXY command \(command)") }
        let body = Array(bytes[16..<(16 + length)])
        guard command == 1 else { return .whole(ProxyHeader(), length: 16 + length) }
        var header = ProxyHeader()
        var used = 0
        switch bytes[13] {
        case 0x11:
            guard length >= 12 else { return .mistake("a PROXY header for TCP over IPv4 has 12 bytes of addresses") }
            header.client = Endpoint(address: four(body, 0), port: word(body, 8))
            header.server = Endpoint(address: four(body, 4), port: word(body, 10))
            used = 12
        case 0x21:
            guard length >= 36 else { return .mistake("a PROXY header for TCP over IPv6 has 36 bytes of addresses") }
            header.client = Endpoint(address: eight(body, 0), port: word(body, 32))
            header.server = Endpoint(address: eight(body, 16), port: word(body, 34))
            used = 36
        case 0x00: return .whole(header, length: 16 + length)
        default: return .mistake("a PROXY header for a protocol that is not TCP")
        }
        while used + 3 <= length {
            let size = Int(word(body, used + 1))
            guard used + 3 + size <= length else { return .mistake("a PROXY addition is cut off") }
            header.additions.append(Addition(type: body[used], value: Array(body[(used + 3)..<(used + 3 + size)])))
            used += 3 + size
        }
        return .whole(header, length: 16 + length)
    }

    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }

    private static func four(_ bytes: [UInt8], _ at: Int) -> String {
        bytes[at..<(at + 4)].map(String.init).joined(separator: ".")
    }

    private static func eight(_ bytes: [UInt8], _ at: Int) -> String {
        (0..<8).map { String(word(bytes, at + 2 * $0), radix: 16) }.joined(separator: ":")
    }

    // MARK: Writing, version 2

    /// - Parameters:
    ///   - client, server: both 4 or both 16 bytes, and the ports; `nil` writes a header that speaks for the sender.
    package static func binary(
        client: (bytes: [UInt8], port: UInt16)?, server: (bytes: [UInt8], port: UInt16)?, additions: [Addition] = []
    ) -> [UInt8] {
        var body: [UInt8] = []
        var family: UInt8 = 0
        if let client, let server, client.bytes.count == server.bytes.count, [4, 16].contains(client.bytes.count) {
            family = client.bytes.count == 4 ? 0x11 : 0x21
            body += client.bytes + server.bytes
            for port in [client.port, server.port] { body += [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)] }
            for addition in additions {
                let size = UInt16(clamping: addition.value.count)
                body += [addition.type, UInt8(size >> 8), UInt8(truncatingIfNeeded: size)]
                body += addition.value.prefix(Int(size))
            }
        }
        let length = UInt16(clamping: body.count)
        return signature + [family == 0 ? 0x20 : 0x21, family, UInt8(length >> 8), UInt8(truncatingIfNeeded: length)]
            + body
    }
}
