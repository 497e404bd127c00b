import Testing
import WeirSettings

@Suite("A host and a port")
struct NetworkAddressTests {
    @Test(
        "are read and written alike",
        arguments: ["10.0.0.7:9000", "[2001:db8::1]:65535", "siem.example.org:1", "localhost:9471"])
    func read(text: String) {
        #expect(NetworkAddress(text)?.description == text)
        #expect(NetworkAddress(listening: text)?.description == text)
    }

    @Test(
        "are nothing when one of them is missing, out of range or in doubt",
        arguments: [
            "", "10.0.0.7", "10.0.0.7:", "10.0.0.7:65536", "10.0.0.7:+5", "10.0.0.7:-1", "10.0.0.7:000080", "::1:80",
            "[::1]80", "[host]:80", "a b:80", "http://a:80", "user@a:80",
        ])
    func nothing(text: String) {
        #expect(NetworkAddress(text) == nil)
        #expect(NetworkAddress(listening: text) == nil)
    }

    @Test("to listen at may lack the host, and port 0 is chosen by the system; nobody sends to either")
    func listening() {
        #expect(NetworkAddress(listening: ":5514") == NetworkAddress(host: "::", port: 5514))
        #expect(NetworkAddress(listening: "*:0")?.description == "[::]:0")
        #expect(NetworkAddress(":5514") == nil)
        #expect(NetworkAddress("127.0.0.1:0") == nil)
    }
}
