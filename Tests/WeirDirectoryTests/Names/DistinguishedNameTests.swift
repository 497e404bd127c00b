import Testing
import WeirDirectory

@Suite("A name in a directory")
struct DistinguishedNameTests {
    @Test(
        "is equal to another way of writing it",
        arguments: [
            ("uid=jd,ou=People,dc=example,dc=org", "UID=JD, OU=people , DC=Example,DC=ORG"),
            ("cn=Jane Doe,dc=x", "CN=jane  doe,DC=X"),
            ("cn=Jane Doe,dc=x", "cn= Jane Doe ,dc=x"),
            ("cn=Doe\\, Jane,dc=x", "cn=\"Doe, Jane\",dc=x"),
            ("cn=Doe\\, Jane,dc=x", "cn=Doe\\2c Jane,dc=x"),
            ("cn=Doe\\, Jane,dc=x", "2.5.4.3=Doe\\2C\\20Jane,0.9.2342.19200300.100.1.25=x"),
            ("ou=Sales+cn=J. Smith,dc=x", "CN=j. smith + OU=sales;dc=x"),
            ("cn=Lu\\C4\\8Di\\C4\\87,dc=x", "cn=lučić,dc=x"),
            ("cn=lu\u{010D}i\u{0107},dc=x", "cn=LUC\u{030C}IC\u{0301},dc=x"),
            ("cn=#04024869,dc=x", "cn=hi,dc=x"), ("CN=a\\ ,dc=x", "cn=a,dc=x"), ("OID.2.5.4.11=p,o=x", "ou=P,o=x"),
            ("", ""), ("cn=a=b,dc=x", "cn=a\\=b,dc=x"), ("cn=\\#1,dc=x", "cn=\\231,dc=x"),
        ])
    func equal(one: String, other: String) throws {
        #expect(try DistinguishedName(one) == DistinguishedName(other))
        #expect(DistinguishedName.key(of: one) == DistinguishedName.key(of: other))
    }

    @Test(
        "is not equal to another name",
        arguments: [
            ("cn=a,dc=x", "cn=b,dc=x"), ("cn=ab,dc=x", "cn=a b,dc=x"), ("cn=a\\,dc=x,dc=x", "cn=a,dc=x,dc=x"),
            ("cn=a,dc=x", "ou=a,dc=x"), ("cn=a\\+ou=b,dc=x", "cn=a+ou=b,dc=x"), ("cn=a,dc=x", "cn=a,dc=x,dc=y"),
            ("cn=\\#1,dc=x", "cn=1,dc=x"), ("cn=a\\00,dc=x", "cn=a,dc=x"),
        ])
    func different(one: String, other: String) throws {
        #expect(try DistinguishedName(one) != DistinguishedName(other))
        #expect(DistinguishedName.key(of: one) != DistinguishedName.key(of: other))
    }

    @Test(
        "is refused where it is none",
        arguments: [
            "jd", "=x", "cn=a,", "cn=a,,dc=x", "cn=a\\", "cn=a\\4", "cn=a\\zz", "cn=\"a", "cn=\"a\"b", "cn=#0",
            "cn=#zz",
            "cn=a<b", "cn=\\FF\\FE", "-x=1", "cn a=b", "<GUID=1234>", "cn=#0405aa",
        ])
    func refused(text: String) {
        #expect(throws: NameProblem.self) { try DistinguishedName(text) }
        #expect(DistinguishedName.key(of: text) == "?" + text)
    }

    @Test(
        "written anew is the same name, whatever its values hold",
        arguments: [
            "plain", " leading", "trailing ", "#hash", "a,b", "a+b", "a;b", "<a>", "\"quoted\"", "back\\slash", "a=b",
            "nul\0nul", "tab\tnew\n", "ünïcödé", "", " ", "  ", "a#b", "*)(uid=*", "😀",
        ])
    func roundTrip(value: String) throws {
        let name = DistinguishedName([.init("cn", value), .init("dc", "example")])
        let read = try DistinguishedName(name.description)
        #expect(read.relatives == name.relatives)
        #expect(read == name)
        #expect(!name.description.utf8.contains(0))
    }

    @Test("The quick key is the key: over many spellings")
    func quickKey() throws {
        let pieces = ["cn=a", "CN = b c", "ou=x  y", "uid=u-1", "dc=example", "mail=x", "e=q", "gn=Z", "c=de", "o=a.b"]
        for first in pieces {
            for second in pieces {
                for separator in [",", ", ", " ,", " , "] {
                    let text = first + separator + second
                    #expect(DistinguishedName.key(of: text) == (try DistinguishedName(text)).key, "\(text)")
                }
            }
        }
    }

    @Test("knows its parent and what it stands below")
    func family() throws {
        let name = try DistinguishedName("cn=a\\,b,ou=p,dc=example,dc=org")
        #expect(name.parent?.description == "ou=p,dc=example,dc=org")
        #expect(name.isWithin(try DistinguishedName("DC=Example,DC=Org")))
        #expect(name.isWithin(name))
        #expect(!name.isWithin(try DistinguishedName("cn=x,ou=p,dc=example,dc=org")))
        #expect(name.isWithin(.root))
        #expect(DistinguishedName.root.parent == nil)
    }

    @Test("A value in a filter is never a filter")
    func filters() {
        let filter = DirectoryFilter.equal("uid", "*)(|(objectClass=*")
        #expect(filter.text == "(uid=\\2a\\29\\28|\\28objectClass=\\2a)")
        #expect(DirectoryFilter.equal("cn", "a\0b\\ü").text == "(cn=a\\00b\\5c\\c3\\bc)")
        #expect(DirectoryFilter.equal("uid=*)(x", "1").text == "(!(objectClass=*))")
        #expect(
            DirectoryFilter.all([.equal("a", "1"), .any([.equal("b", "2"), .atLeast("c", "3")])]).text
                == "(&(a=1)(|(b=2)(c>=3)))")
    }
}
