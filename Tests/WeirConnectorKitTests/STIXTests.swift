import Testing

@testable import WeirConnectorKit

@Suite("STIX identifiers")
struct STIXIdentifierTests {
    @Test("are those that pycti makes")
    func pycti() {
        #expect(
            STIXIdentifier.vulnerability(name: "CVE-2021-44228")
                == "vulnerability--693c68fd-9a33-5d6d-b44e-407b6a48b05b")
        #expect(
            STIXIdentifier.vulnerability(name: " cve-2021-44228 ")
                == STIXIdentifier.vulnerability(name: "CVE-2021-44228"))
        #expect(
            STIXIdentifier.identity(name: "CISA", identityClass: "organization")
                == "identity--0f1b6dfc-fae2-5617-b9d1-07508f3af52f")
        #expect(
            STIXIdentifier.identity(name: "Müller \"& Söhne\"", identityClass: "Organization")
                == "identity--ac147730-e374-5d5c-9b32-d4c93441418b")
    }

    @Test("by chance are UUIDs of version 4")
    func random() {
        #expect(UUIDText.random(.max, .max) == "ffffffff-ffff-4fff-bfff-ffffffffffff")
        #expect(UUIDText.random(0, 0) == "00000000-0000-4000-8000-000000000000")
    }
}

@Suite("Bundles")
struct STIXBundleTests {
    @Test(
        "are refused with what is wrong",
        arguments: [
            ("x", "not JSON"), ("{}", "\"type\": \"bundle\""), (#"{"type":"bundle"}"#, "no list `objects`"),
            (#"{"type":"bundle","objects":[1]}"#, "Number 1"),
        ])
    func wrong(text: String, says: String) {
        do throws(BundleProblem) {
            _ = try STIXBundle(json: text)
            Issue.record("it was taken")
        } catch {
            #expect(error.description.contains(says))
        }
    }

    @Test("without objects, or with one that has no id, are not sent")
    func checks() throws {
        #expect(throws: BundleProblem.self) { try STIXBundle([]).check() }
        #expect(throws: BundleProblem.self) { try STIXBundle([["type": "malware"]]).check() }
        try STIXBundle([["type": "malware", "id": "malware--1"]]).check()
    }
}
