import Testing
import WeirSettings
import WeirSources

@testable import WeirNode

@Suite("The settings of the AMQP ingress")
struct AMQPSettingsTests {
    private static func mistakes(_ text: String) -> [String] {
        var settings = AMQPSettings()
        settings.listen = text
        return settings.mistakes().map(\.message)
    }

    @Test("listens on loopback as it is", arguments: ["127.0.0.1:5673", "[::1]:0", "localhost:5673", "off"])
    func loopback(listen: String) {
        #expect(Self.mistakes(listen).isEmpty)
    }

    @Test(
        "listens elsewhere only with TLS, or when it is told in so many words", arguments: ["10.0.0.5:5671", "mq:5671"])
    func elsewhere(listen: String) throws {
        #expect(try #require(Self.mistakes(listen).first).contains("needs `tls`"))
        var settings = AMQPSettings()
        settings.listen = listen
        settings.isUnencrypted = true
        #expect(settings.mistakes().isEmpty)
        settings.isUnencrypted = false
        settings.tls = ServerTLS()
        #expect(settings.mistakes().map(\.key) == ["tls"], "only its files are missing")
    }

    @Test("on all addresses of the machine it must know what to tell connectors", arguments: ["0.0.0.0:5671", ":5671"])
    func told(listen: String) {
        var settings = AMQPSettings()
        settings.listen = listen
        settings.isUnencrypted = true
        #expect(settings.mistakes().map(\.key) == ["listen"])
        settings.told.host = "weir.example.org"
        #expect(settings.mistakes().isEmpty)
    }

    @Test("takes no address for one that is none", arguments: ["5673", "127.0.0.1", "127.0.0.1:99999", ""])
    func none(listen: String) {
        #expect(Self.mistakes(listen).count == 1)
    }
}
