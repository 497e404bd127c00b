import Testing
import WeirDirectory

@Suite("The LDAP library")
struct DirectoryVersionTests {
    @Test("It is 2.5 or newer")
    func number() {
        #expect(DirectoryVersion.number >= 20_500)
    }
}
