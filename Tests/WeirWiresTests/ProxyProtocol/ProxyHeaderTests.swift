import Testing

@testable import WeirWires

@Suite("A PROXY header")
struct ProxyHeaderTests {
    private func read(_ text: String) -> ProxyHeader.Reading { ProxyHeader.read(Array(text.utf8)) }

    @Test("of version 1 is a line; what follows it is not read")
    func line() {
        let header = ProxyHeader(
            client: .init(address: "192.0.2.1", port: 56_324), server: .init(address: "192.0.2.2", port: 443))
        #expect(read("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /") == .whole(header, length: 42))
        #expect(read("PROXY UNKNOWN\r\n") == .whole(ProxyHeader(), length: 15))
        #expect(read("PROXY UNKNOWN ffff:f::1 ffff::2 65535 65535\r\n") == .whole(ProxyHeader(), length: 45))
    }

    @Test("is waited for, byte by byte")
    func partial() {
        let whole = Array("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n".utf8)
        for count in 0..<whole.count { #expect(ProxyHeader.read(Array(whole[..<count])) == .partial) }
        let binary = ProxyHeader.binary(client: ([10, 0, 0, 9], 1), server: ([10, 0, 0, 1], 2))
        for count in 0..<binary.count { #expect(ProxyHeader.read(Array(binary[..<count])) == .partial) }
    }

    @Test("of version 2 comes back as it was written")
    func binary() {
        let additions = [ProxyHeader.Addition(type: 0xE0, value: Array("decision-7".utf8))]
        let four = ProxyHeader.binary(
            client: ([10, 0, 0, 9], 50_000), server: ([10, 0, 0, 1], 389), additions: additions)
        #expect(
            ProxyHeader.read(four + [1, 2, 3])
                == .whole(
                    ProxyHeader(
                        client: .init(address: "10.0.0.9", port: 50_000), server: .init(address: "10.0.0.1", port: 389),
                        additions: additions), length: four.count))
        let six = [UInt8](repeating: 0, count: 15) + [1]
        guard case .whole(let header, _) = ProxyHeader.read(ProxyHeader.binary(client: (six, 1), server: (six, 2)))
        else {
            Issue.record("no header")
            return
        }
        #expect(header.client == .init(address: "0:0:0:0:0:0:0:1", port: 1))
        #expect(ProxyHeader.read(ProxyHeader.binary(client: nil, server: nil)) == .whole(ProxyHeader(), length: 16))
    }

    @Test(
        "that is none is told as a mistake, never guessed",
        arguments: [
            "GET / HTTP/1.1\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 056 443\r\n", "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n",
            "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", "PROXY UNKNOWN\n",
            "PROXY UNKNOWN " + String(repeating: "x", count: 120), "PROXYTCP4", "\r\n\r\nX",
        ])
    func mistakes(text: String) {
        guard case .mistake = read(text) else {
            Issue.record("\(text) was taken")
            return
        }
    }

    @Test("of version 2 with a wrong version, command, family, length or addition is a mistake")
    func binaryMistakes() {
        let right = ProxyHeader.binary(client: ([10, 0, 0, 9], 1), server: ([10, 0, 0, 1], 2))
        func changed(_ place: Int, _ byte: UInt8) -> [UInt8] {
            var bytes = right
            bytes[place] = byte
            return bytes + [UInt8](repeating: 0, count: 300)
        }
        for bytes in [changed(12, 0x11), changed(12, 0x22), changed(13, 0x12), changed(15, 11), changed(14, 0xFF)] {
            guard case .mistake = ProxyHeader.read(bytes) else {
                Issue.record("\(bytes.prefix(16)) was taken")
                continue
            }
        }
        var cut = right + [0xE0, 0x00, 0x09, 1]
        cut[15] = 16
        guard case .mistake = ProxyHeader.read(cut) else {
            Issue.record("a cut addition was taken")
            return
        }
    }
}
