import Glibc
import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

@Suite("Who is let in, and how it is said")
struct SecurityTests {
    @Test("What is never sent: an empty password, a password in the clear, TLS that does not fit the address")
    func refusedBeforehand() throws {
        func code(_ url: String, _ change: (inout DirectorySettings) -> Void) throws -> String? {
            var settings = DirectorySettings(address: try #require(DirectoryAddress(url)))
            change(&settings)
            do throws(DirectoryFailure) {
                try settings.check()
                return nil
            } catch {
                return error.code
            }
        }
        let login: (inout DirectorySettings) -> Void = { ($0.bindName, $0.password) = ("cn=a", "secret") }
        #expect(try code("ldaps://dc1.example.org") { $0.bindName = "cn=a" } == "empty_password")
        #expect(try code("ldaps://dc1.example.org") { ($0.bindName, $0.password) = ("cn=a", "") } == "empty_password")
        #expect(try code("ldaps://dc1.example.org") { $0.password = "x" } == "password_without_name")
        #expect(try code("ldap://dc1.example.org", login) == "plaintext_refused")
        #expect(try code("ldap://127.0.0.1:1389", login) == nil)
        #expect(
            try code("ldap://127.0.0.1:1389") {
                login(&$0)
                $0.connect = { 0 }
            } == "plaintext_refused")
        #expect(
            try code("ldap://dc1.example.org") {
                login(&$0)
                $0.allowPlaintext = true
            } == nil)
        #expect(
            try code("ldap://dc1.example.org") {
                login(&$0)
                $0.security = .startTLS
            } == nil)
        #expect(try code("ldap://dc1.example.org") { $0.security = .tls } == "security_mismatch")
        #expect(try code("ldaps://dc1.example.org") { $0.security = .startTLS } == "security_mismatch")
        #expect(try code("ldap://dc1.example.org") { _ in } == nil)
    }

    @Test(
        "Addresses",
        arguments: [
            ("ldap://dc1", "ldap://dc1:389"), ("LDAPS://dc1/", "ldaps://dc1:636"),
            ("ldap://[::1]:1389", "ldap://[::1]:1389"),
            ("ldap://[::1]", "ldap://[::1]:389"), ("ldap://", nil), ("http://a", nil), ("ldap://a:0", nil),
            ("ldap://a:70000", nil), ("ldap://a/dc=x", nil), ("ldap://a?b", nil), ("ldap://u@h", nil),
            ("ldap://a b", nil),
            ("ldap://::1:389", nil), ("ldap://[::1", nil),
        ] as [(String, String?)])
    func addresses(text: String, read: String?) { #expect(DirectoryAddress(text)?.description == read) }

    @Test(
        "TLS, from the first byte and by asking; a certificate of another name or of nobody known is refused",
        .enabled(if: Slapd.isHere, "slapd is not installed"))
    func tls() async throws {
        let slapd = try await Slapd.started(Slapd.Options(hasTLS: true), entries: Slapd.people(1))
        func settings(_ security: DirectorySettings.Security, _ host: String, _ ca: String?) -> DirectorySettings {
            let port = security == .tls ? slapd.tlsPort : slapd.port
            var settings = slapd.settings
            settings.address = DirectoryAddress(isTLS: security == .tls, host: host, port: UInt16(port))
            settings.security = security
            settings.caFile = ca
            settings.connect = {
                // As a tunnel would: a connection to the real place, under the name that the operator knows.
                let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                guard connected(descriptor, "127.0.0.1", port) else {
                    throw PeerProcess.Failure(description: "no connection")
                }
                return descriptor
            }
            return settings
        }
        for security in [DirectorySettings.Security.tls, .startTLS] {
            let connection = try await DirectoryConnection.open(
                settings(security, "ldap.example.test", slapd.certificate), quietWorld)
            #expect(try await connection.send(.search(.init(base: Slapd.person(0)))).page.count == 1)
            connection.close()
            var direct = settings(security, "127.0.0.1", slapd.certificate)
            direct.connect = nil
            try await DirectoryConnection.open(direct, quietWorld).close()
            for (host, ca) in [("dc1.example.org", slapd.certificate as String?), ("ldap.example.test", nil)] {
                let failure = await #expect(throws: DirectoryFailure.self, "\(security) \(host)") {
                    try await DirectoryConnection.open(settings(security, host, ca), quietWorld)
                }
                #expect(failure?.code == "tls_failed", "\(security) \(host): \(String(describing: failure))")
            }
            let noFile = await #expect(throws: DirectoryFailure.self) {
                try await DirectoryConnection.open(
                    settings(security, "ldap.example.test", "/nowhere/ca.pem"), quietWorld)
            }
            #expect(noFile?.code == "ca_file")
        }
        // A server without TLS that is asked for it: no bind in the clear instead.
        let plain = try await Slapd.started(entries: "")
        var asked = plain.settings
        asked.security = .startTLS
        asked.caFile = slapd.certificate
        let failure = await #expect(throws: DirectoryFailure.self) {
            try await DirectoryConnection.open(asked, quietWorld)
        }
        #expect(failure?.code == "tls_failed")
    }

    @Test("Names and filters from outside stay values", .enabled(if: Slapd.isHere, "slapd is not installed"))
    func injection() async throws {
        let slapd = try await Slapd.started(entries: Slapd.people(5))
        let pool = DirectoryPool(slapd.settings, quietWorld)
        let writer = EntryWriter(pool, base: Slapd.suffix)
        let base = try DistinguishedName("ou=people,\(Slapd.suffix)")
        for value in ["a,ou=groups", "x+uid=u1", "*)(uid=*", "q\"<>;\\", "#b ", " sp", "ü", "a=b", "nul\0x"] {
            let found = try await pool.send(
                .search(.init(base: base.description, scope: .subtree, filter: .equal("uid", value))))
            #expect(found.page.isEmpty, "\(value)")
            let name = base.child(.init("uid", value)).description
            let attributes = [
                DirectoryValues("objectClass", ["inetOrgPerson"]), DirectoryValues("cn", ["x"]),
                DirectoryValues("sn", ["x"]), DirectoryValues("uid", [value]),
            ]
            let outcome = try? await writer.add(name, attributes)
            guard case .written = outcome else {
                return #expect(Bool(false), "\(value): \(String(describing: outcome))")
            }
            let one = try await pool.send(
                .search(.init(base: base.description, scope: .one, filter: .equal("uid", value))))
            #expect(one.page.count == 1, "\(value)")
            #expect(try await writer.delete(.init(name)) == .written(anchor: nil))
        }
        #expect(try await pool.send(.search(.init(base: base.description, scope: .one))).page.count == 5)
        let nul = await #expect(throws: DirectoryFailure.self) {
            try await pool.send(.delete(name: "uid=u1\0,ou=people,\(Slapd.suffix)"))
        }
        #expect(nul?.code == "nul_in_name")
        pool.close()
    }
}
