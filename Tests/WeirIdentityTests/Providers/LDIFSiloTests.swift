import Foundation
import Logging
import Testing
import WeirIdentity
import WeirWorld

@Suite("A silo in an LDIF file")
struct LDIFSiloTests {
    private static let people = ObjectKind(silo: "ad", type: "user")
    private static let groups = ObjectKind(silo: "ad", type: "group")
    private static let text = """
        version: 1

        # the company
        dn: dc=example,dc=org
        objectClass: dcObject

        dn: ou=people,dc=example,dc=org
        objectClass: organizationalUnit

        # the boss
        dn: uid=anna,ou=people,dc=example,dc=org
        objectClass: inetOrgPerson
        entryUUID: 11111111-1111-4111-8111-111111111111
        cn: Anna
        sn: Amsel

        dn: uid=bert,OU=People,dc=example,dc=org
        objectClass: inetOrgPerson
        cn: Bert
        sn: Bach

        dn: ou=groups,dc=example,dc=org
        objectClass: organizationalUnit

        dn: cn=team,ou=groups,dc=example,dc=org
        objectClass: groupOfNames
        member: uid=anna,ou=people,dc=example,dc=org
        member: UID=bert, ou=people, dc=example, dc=org

        """

    private let scratch: Scratch
    private let path: String
    private let silo: LDIFSilo

    init() throws {
        scratch = try Scratch()
        path = try scratch.file("directory.ldif", Self.text)
        silo = LDIFSilo(
            path: path,
            bases: [
                Self.people: LDIFSilo.Base(name: "ou=people,dc=example,dc=org", objectClass: "inetOrgPerson"),
                Self.groups: LDIFSilo.Base(name: "OU=Groups, dc=example, dc=org"),
            ], world: World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    private func scan(_ kind: ObjectKind = people) async throws -> ([SiloObject], ScanEnd) {
        var objects: [SiloObject] = []
        let end = try await silo.scan(ScanRequest(kind: kind)) { batch in
            for at in 0..<batch.count { objects.append(batch.object(at, kind: kind)) }
        }
        return (objects, end)
    }

    private func failure() async -> ScanFailure? {
        do {
            _ = try await scan()
            return nil
        } catch {
            return error as? ScanFailure
        }
    }

    private func write(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
    private var now: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    private func change(
        _ operation: Change.Operation, _ name: String, of kind: ObjectKind = people, newName: String? = nil,
        _ edits: Change.Edit...
    ) -> Change {
        Change(operation: operation, target: kind, anchor: nil, name: name, newName: newName, edits: edits)
    }

    private func set(_ attribute: String, _ values: String...) -> Change.Edit {
        Change.Edit(attribute: attribute, removes: [], adds: values, isReplaced: true)
    }

    private func code(_ answer: WriteAnswer) -> String? {
        switch answer {
        case .refused(let code, _), .failed(let code, _), .unknown(let code, _): code
        case .written, .alreadySo: nil
        }
    }

    @Test("has the entries below its base that have its class, by entryUUID or else by name")
    func scans() async throws {
        let (people, end) = try await scan()
        #expect(
            people.map(\.anchor) == [
                "11111111-1111-4111-8111-111111111111", "uid=bert,ou=people,dc=example,dc=org",
            ])
        #expect(
            people.map(\.name) == [
                "uid=anna,ou=people,dc=example,dc=org", "uid=bert,OU=People,dc=example,dc=org",
            ])
        #expect(people[1].attributes == ["objectclass": ["inetOrgPerson"], "cn": ["Bert"], "sn": ["Bach"]])
        #expect(end == ScanEnd())
        #expect(try await scan(Self.groups).0.map(\.name) == ["cn=team,ou=groups,dc=example,dc=org"])
    }

    @Test("keeps what every silo promises")
    func contract() async throws {
        try write("dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\n")
        let contract = SiloContract(
            provider: silo, kind: Self.people, name: { "uid=u\($0),ou=people,dc=example,dc=org" },
            attributes: { ["objectclass": ["inetOrgPerson"], "cn": ["Person \($0)"], "sn": ["P"]] },
            single: "employeenumber", list: "mail")
        try await contract.run()
    }

    @Test("is not read where it is broken, and says file and line")
    func broken() async throws {
        try write(Self.text + "\ndn: uid=x,ou=people,dc=example,dc=org\nchangetype: delete\n")
        let failure = try #require(await failure())
        #expect(failure.code == "bad_ldif")
        #expect(failure.text.contains("\(path):31: this is a file of changes"), "\(failure.text)")
        #expect(!failure.isPassing)
        try write(String(Self.text.dropLast(5)))
        #expect(await self.failure()?.code == "cut_off")
        try FileManager.default.removeItem(atPath: path)
        #expect(await self.failure()?.code == "no_such_file")
    }

    @Test("refuses a second entry of one name by its line, so that the scan is not complete")
    func twice() async throws {
        try write(Self.text + "\ndn: UID=Bert,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\n")
        let (people, end) = try await scan()
        #expect(people.count == 2)
        #expect(end.refused.map(\.place) == ["directory.ldif:30"])
        #expect(end.refused.first?.reason.contains("line 17") == true)
    }

    @Test("changes one entry and leaves the rest of the file as it is, comments too")
    func modifies() async throws {
        let bert = "uid=bert,ou=people,dc=example,dc=org"
        let answer = await silo.write(change(.modify, bert, set("sn", "Bächle"), set("title", "Clerk")), secrets: [:])
        #expect(answer == .written(anchor: bert))
        let wanted = Self.text.replacing("cn: Bert\nsn: Bach\n", with: "cn: Bert\nsn:: QsOkY2hsZQ==\ntitle: Clerk\n")
        #expect(now == wanted)
    }

    @Test("makes an entry with what its name says and an entryUUID, and only where it would be found again")
    func creates() async throws {
        let name = "uid=cora,ou=people,dc=example,dc=org"
        let made = change(.create, name, set("objectclass", "inetOrgPerson"), set("cn", "Cora"))
        guard case .written(let anchor?) = await silo.write(made, secrets: [:]) else {
            Issue.record("not written")
            return
        }
        #expect(try await silo.read(Self.people, anchor: anchor, name: "")?.attributes["uid"] == ["cora"])
        #expect(await silo.write(made, secrets: [:]) == .alreadySo(anchor: anchor))
        let other = change(.create, name, set("objectclass", "inetOrgPerson"), set("cn", "Another"))
        #expect(code(await silo.write(other, secrets: [:])) == "exists")
        let lost = change(.create, "uid=d,ou=nowhere,dc=example,dc=org", set("objectclass", "inetOrgPerson"))
        #expect(code(await silo.write(lost, secrets: [:])) == "no_such_parent")
        let outside = change(.create, "uid=d,ou=groups,dc=example,dc=org", set("objectclass", "inetOrgPerson"))
        #expect(code(await silo.write(outside, secrets: [:])) == "not_of_type")
        let nameless = change(.create, "cora", set("objectclass", "inetOrgPerson"))
        #expect(code(await silo.write(nameless, secrets: [:])) == "invalid_name")
    }

    @Test("puts a secret in where the change has a mark")
    func secrets() async throws {
        let change = change(
            .modify, "uid=bert,ou=people,dc=example,dc=org", set("userpassword", Change.secretMark))
        _ = await silo.write(change, secrets: ["userpassword": "s3cret"])
        #expect(now.contains("userPassword: s3cret\n"))
        #expect(!now.contains(Change.secretMark))
    }

    @Test("renames an entry with what is below it; the old name's value goes, the new one's comes")
    func renames() async throws {
        let old = "uid=bert,ou=people,dc=example,dc=org"
        let new = "uid=berti,ou=people,dc=example,dc=org"
        #expect(await silo.write(change(.rename, old, newName: new), secrets: [:]) == .written(anchor: new))
        #expect(now.contains("dn: \(new)\n") && now.contains("\nuid: berti\n"))
        let taken = change(.rename, new, newName: "uid=anna,ou=people,dc=example,dc=org")
        #expect(code(await silo.write(taken, secrets: [:])) == "exists")
        try write(Self.text + "\ndn: cn=phone,uid=bert,ou=people,dc=example,dc=org\nobjectClass: device\n")
        _ = await silo.write(change(.rename, old, newName: new), secrets: [:])
        #expect(now.contains("dn: cn=phone,\(new)\n"))
        #expect(code(await silo.write(change(.delete, new), secrets: [:])) == "not_allowed_on_non_leaf")
    }

    @Test("takes members away by any spelling of their names, but not the last one")
    func members() async throws {
        let team = "cn=team,ou=groups,dc=example,dc=org"
        let edit = Change.Edit(
            attribute: "member", removes: ["uid=bert,ou=people,dc=example,dc=org"],
            adds: ["uid=Anna,ou=People,dc=example,dc=org"], isReplaced: false)
        let out = change(.modify, team, of: Self.groups, edit)
        #expect(await silo.write(out, secrets: [:]) == .written(anchor: team))
        #expect(await silo.write(out, secrets: [:]) == .alreadySo(anchor: team))
        #expect(
            try await silo.read(Self.groups, anchor: team, name: team)?.attributes["member"] == [
                "uid=anna,ou=people,dc=example,dc=org"
            ])
        let last = Change.Edit(
            attribute: "member", removes: ["uid=anna,ou=people,dc=example,dc=org"], adds: [], isReplaced: false)
        #expect(code(await silo.write(change(.modify, team, of: Self.groups, last), secrets: [:])) == "last_member")
    }

    @Test("deletes an entry, and is told so twice")
    func deletes() async throws {
        let bert = "uid=bert,ou=people,dc=example,dc=org"
        #expect(await silo.write(change(.delete, bert), secrets: [:]) == .written(anchor: bert))
        #expect(now == Self.text.replacing(/dn: uid=bert(.|\n)*?\n\n/, with: "", maxReplacements: 1))
        #expect(await silo.write(change(.delete, bert), secrets: [:]) == .alreadySo(anchor: nil))
    }
}
