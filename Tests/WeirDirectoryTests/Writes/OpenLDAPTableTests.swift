import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

/// What OpenLDAP answers, row by row, and what becomes of it.
@Suite("What codes mean on OpenLDAP", .serialized, .enabled(if: Slapd.isHere, "slapd is not installed"))
struct OpenLDAPTableTests {
    private let g = Slapd.group("g")

    private func pool(
        _ entries: String, _ options: Slapd.Options = Slapd.Options()
    ) async throws -> (slapd: Slapd, pool: DirectoryPool) {
        let slapd = try await Slapd.started(options, entries: entries)
        return (slapd, DirectoryPool(slapd.settings, quietWorld))
    }

    @Test("A member that is there already, in any spelling: 20, and looked at")
    func addPresent() async throws {
        let (slapd, pool) = try await pool(Slapd.people(3) + Slapd.group("g", members: [0, 1]))
        defer { slapd.stop() }
        for spelling in [Slapd.person(1), "UID=U1, OU=People, DC=example,DC=org"] {
            #expect(try await pool.code(g, .init(.add, "member", [spelling])) == 20)
            let outcome = try await MembershipWriter(pool, unlooking()).converge(g, adds: [spelling], deletes: [])
            #expect(outcome.already == 1 && outcome.added == 0 && outcome.refused.isEmpty && outcome.requests > 0)
        }
        #expect(pool.counters.value.benignVerified == 2 && pool.counters.value.benignRefuted == 0)
        #expect(pool.counters.value.batchErrors == ["20": 2])
        pool.close()
    }

    @Test("A member that is not there: 16, and looked at")
    func deleteAbsent() async throws {
        let (slapd, pool) = try await pool(Slapd.people(3) + Slapd.group("g", members: [0, 1]))
        defer { slapd.stop() }
        #expect(try await pool.code(g, .init(.delete, "member", [Slapd.person(2)])) == 16)
        let outcome = try await MembershipWriter(pool, unlooking())
            .converge(g, adds: [], deletes: [Slapd.person(2), "uid=nobody,dc=example,dc=org"])
        #expect(outcome.already == 2 && outcome.refused.isEmpty)
        #expect(try await pool.members(g) == [Slapd.person(0), Slapd.person(1)])
        pool.close()
    }

    @Test("One of a batch in the way: nothing of it is done, and the rest is sent again")
    func batches() async throws {
        let (slapd, pool) = try await pool(Slapd.people(9) + Slapd.group("g", members: [0, 1, 2, 3]))
        defer { slapd.stop() }
        #expect(try await pool.code(g, .init(.add, "member", [4, 1, 5].map(Slapd.person))) == 20)
        #expect(try await pool.code(g, .init(.delete, "member", [0, 8].map(Slapd.person))) == 16)
        #expect(
            try await pool.code(
                g, .init(.add, "member", [Slapd.person(6)]), .init(.add, "member", [Slapd.person(0)]),
                .init(.delete, "member", [Slapd.person(1)])) == 20)
        #expect(try await pool.code(g, .init(.add, "member", [Slapd.person(7), Slapd.person(7)])) == 20)
        #expect(try await pool.members(g) == [0, 1, 2, 3].map(Slapd.person))
        let outcome = try await MembershipWriter(pool, unlooking()).converge(
            g, adds: [4, 1, 5, 4].map(Slapd.person), deletes: [0, 8].map(Slapd.person))
        #expect(outcome.added == 2 && outcome.deleted == 1 && outcome.already == 3 && outcome.requests == 2)
        #expect(try await pool.members(g) == [1, 2, 3, 4, 5].map(Slapd.person))
        pool.close()
    }

    @Test("Values and attributes that are not there, and a replace with nothing")
    func absentValues() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1))
        defer { slapd.stop() }
        let name = Slapd.person(0)
        #expect(try await pool.code(name, .init(.delete, "mail", ["x@y"])) == 16)
        #expect(try await pool.code(name, .init(.delete, "title", [String]())) == 16)
        #expect(try await pool.code(name, .init(.replace, "title", [String]())) == 0)
        let writer = EntryWriter(pool, base: Slapd.suffix)
        let removed = try await writer.modify(.init(name), [.init("mail", removes: [Array("x@y".utf8)])])
        guard case .alreadySo = removed else { return #expect(Bool(false), "\(removed)") }
        let cleared = try await writer.modify(.init(name), [.init("title", isReplaced: true)])
        guard case .alreadySo = cleared else { return #expect(Bool(false), "\(cleared)") }
        // In another spelling it is there: the server says 20, and is asked.
        let added = try await writer.modify(.init(name), [.init("mail", adds: [Array("U0@EXAMPLE.ORG".utf8)])])
        guard case .alreadySo = added else { return #expect(Bool(false), "\(added)") }
        #expect(pool.counters.value.benignVerified == 2)
        pool.close()
    }

    @Test("A single-valued attribute: 20 for its own value, 19 for another, which is refused")
    func singleValued() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1))
        defer { slapd.stop() }
        let name = Slapd.person(0)
        #expect(try await pool.code(name, .init(.add, "employeeNumber", ["0"])) == 20)
        #expect(try await pool.code(name, .init(.add, "employeeNumber", ["7"])) == 19)
        let writer = EntryWriter(pool, base: Slapd.suffix)
        await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.modify(.init(name), [.init("employeeNumber", adds: [Array("7".utf8)])])
        }
        // A change from one to another is one request.
        let changed = try await writer.modify(
            .init(name), [.init("employeeNumber", adds: [Array("7".utf8)], removes: [Array("0".utf8)])])
        guard case .written = changed else { return #expect(Bool(false), "\(changed)") }
        pool.close()
    }

    @Test(
        "The last member: 65, and what was chosen for it",
        arguments: [
            MembershipWriter.LastMember.fail, .placeholder("cn=nobody,dc=example,dc=org"), .deleteGroup,
        ])
    func lastMember(choice: MembershipWriter.LastMember) async throws {
        let (slapd, pool) = try await pool(Slapd.people(2) + Slapd.group("g", members: [0]))
        defer { slapd.stop() }
        #expect(try await pool.code(g, .init(.delete, "member", [Slapd.person(0)])) == 65)
        #expect(try await pool.code(g, .init(.replace, "member", [String]())) == 65)
        var settings = MembershipWriter.Settings()
        settings.lastMember = choice
        let writer = MembershipWriter(pool, settings)
        switch choice {
        case .fail:
            let problem = await #expect(throws: DirectoryWriteProblem.self) {
                try await writer.converge(g, adds: [], deletes: [Slapd.person(0)])
            }
            #expect(problem?.code == "last_member")
            // One comes and one goes: one request, and never empty.
            let outcome = try await writer.converge(g, adds: [Slapd.person(1)], deletes: [Slapd.person(0)])
            #expect(outcome.added == 1 && outcome.deleted == 1 && outcome.requests == 1)
        case .placeholder(let name):
            #expect(try await writer.converge(g, adds: [], deletes: [Slapd.person(0)]).deleted == 1)
            #expect(try await pool.members(g) == [name])
            #expect(try await writer.converge(g, adds: [], deletes: [Slapd.person(0)]).already == 1)
            _ = try await writer.converge(g, adds: [Slapd.person(1)], deletes: [])
            #expect(try await pool.members(g) == [Slapd.person(1)])
        case .deleteGroup:
            #expect(try await writer.converge(g, adds: [], deletes: [Slapd.person(0)]).isGroupDeleted)
            let gone = try await pool.send(.search(.init(base: g)))
            #expect(gone.code == .noSuchObject)
            #expect(try await writer.converge(g, adds: [], deletes: [Slapd.person(0)]).already == 1)
        }
        pool.close()
    }

    @Test("A member that is nowhere is accepted; one that has gone is taken out")
    func dangling() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1) + Slapd.group("g", members: [0]))
        defer { slapd.stop() }
        let nowhere = "uid=nowhere,ou=people,dc=example,dc=org"
        #expect(try await pool.code(g, .init(.add, "member", [nowhere])) == 0)
        let writer = MembershipWriter(pool, unlooking())
        #expect(try await writer.converge(g, adds: [], deletes: [nowhere]).deleted == 1)
        #expect(try await writer.converge(g, adds: [], deletes: [nowhere]).already == 1)
        pool.close()
    }

    @Test("An entry that is there already: 68; ours when it has all that is wanted, whatever its spelling")
    func addEntry() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1))
        defer { slapd.stop() }
        let writer = EntryWriter(pool, base: Slapd.suffix)
        let attributes = [
            DirectoryValues("objectClass", ["inetOrgPerson"]), DirectoryValues("cn", ["Jane"]),
            DirectoryValues("sn", ["Doe"]), DirectoryValues("uid", ["jd"]),
        ]
        let name = "uid=jd,ou=people,dc=example,dc=org"
        guard case .written(let anchor) = try await writer.add(name, attributes) else {
            return #expect(Bool(false))
        }
        #expect(anchor?.count == 36)
        #expect(try await pool.send(.add(name: name, attributes: attributes)).code.number == 68)
        #expect(try await writer.add(name, attributes) == .alreadySo(anchor: anchor))
        #expect(try await writer.add("UID=JD,OU=People,DC=example,DC=org", attributes) == .alreadySo(anchor: anchor))
        let problem = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.add(name, attributes + [DirectoryValues("title", ["Dr"])])
        }
        #expect(problem?.code == "exists_otherwise")
        let orphan = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.add("uid=jd,ou=nowhere,dc=example,dc=org", attributes)
        }
        #expect(orphan?.code == "ldap_32")
        pool.close()
    }

    @Test("An entry that has gone already: 32 where its base is there, a refusal where it is not, 53 elsewhere")
    func deleteEntry() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1))
        defer { slapd.stop() }
        let writer = EntryWriter(pool, base: Slapd.suffix)
        #expect(try await pool.send(.delete(name: Slapd.person(8))).matched == "ou=people,dc=example,dc=org")
        #expect(try await writer.delete(.init(Slapd.person(8))) == .alreadySo(anchor: nil))
        #expect(try await writer.delete(.init(Slapd.person(0))) == .written(anchor: nil))
        #expect(try await writer.delete(.init(Slapd.person(0))) == .alreadySo(anchor: nil))
        #expect(try await pool.send(.delete(name: "uid=a,dc=elsewhere")).code.number == 53)
        let elsewhere = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.delete(.init("uid=a,dc=elsewhere"))
        }
        #expect(elsewhere?.code == "outside_base")
        let lost = await #expect(throws: DirectoryWriteProblem.self) {
            try await EntryWriter(pool, base: "ou=gone,dc=example,dc=org").delete(
                .init("uid=a,ou=gone,dc=example,dc=org"))
        }
        #expect(lost?.code == "ldap_32")
        let parent = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.delete(.init("dc=example,dc=org"))
        }
        #expect(parent?.code == "ldap_66")
        pool.close()
    }

    @Test("A group that is not there: nobody can come, and whoever is to go is gone")
    func absentGroup() async throws {
        let (slapd, pool) = try await pool(Slapd.people(1))
        defer { slapd.stop() }
        #expect(try await pool.code(g, .init(.add, "member", [Slapd.person(0)])) == 32)
        let writer = MembershipWriter(pool)
        #expect(try await writer.converge(g, adds: [], deletes: [Slapd.person(0)]).already == 1)
        let problem = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.converge(g, adds: [Slapd.person(0)], deletes: [])
        }
        #expect(problem?.code == "ldap_32")
        await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.converge("cn=g,ou=no,dc=example,dc=org", adds: [], deletes: [Slapd.person(0)])
        }
        pool.close()
    }

    @Test("A rename that was done: 32, and the entry with our anchor has the name; 68 is another entry's name")
    func rename() async throws {
        let (slapd, pool) = try await pool(Slapd.people(3))
        defer { slapd.stop() }
        let writer = EntryWriter(pool, base: Slapd.suffix)
        let root = try await pool.root()
        let anchor = try await writer.find(.init(Slapd.person(0)), [], root).flatMap { EntryAnchor.text(of: $0, root) }
        let target = EntryWriter.Target(Slapd.person(0), anchor: anchor)
        let new = "uid=renamed,ou=groups,dc=example,dc=org"
        #expect(try await writer.rename(target, to: new) == .written(anchor: anchor))
        #expect(try await writer.rename(target, to: new) == .alreadySo(anchor: anchor))
        #expect(
            try await pool.send(.rename(name: Slapd.person(0), leaf: "uid=renamed", newParent: nil)).code.number == 32)
        #expect(try await pool.send(.rename(name: new, leaf: "uid=renamed", newParent: nil)).code.number == 0)
        let taken = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.rename(target, to: Slapd.person(1))
        }
        #expect(taken?.code == "another_entry")
        let noAnchor = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.rename(.init(Slapd.person(0)), to: new)
        }
        #expect(noAnchor?.code == "ldap_32")
        // By its anchor it is found under its new name, and changed and deleted there.
        let edited = try await writer.modify(target, [.init("title", adds: [Array("Dr".utf8)], isReplaced: true)])
        #expect(edited == .written(anchor: anchor))
        #expect(try await writer.delete(target) == .written(anchor: anchor))
        #expect(try await writer.delete(target) == .alreadySo(anchor: anchor))
        pool.close()
    }

    @Test("What is never swallowed: schema, syntax, names, back-links, constraints, rights")
    func refusals() async throws {
        var options = Slapd.Options(hasMemberOf: true)
        options.database = ["overlay constraint", "constraint_attribute title regex ^[A-Z].*$"]
        let (slapd, pool) = try await pool(Slapd.people(2) + Slapd.group("g", members: [0]), options)
        defer { slapd.stop() }
        let writer = EntryWriter(pool, base: Slapd.suffix)
        let name = Slapd.person(0)
        let rows: [(edit: EntryWriter.Edit, code: Int32)] = [
            (.init("noSuchAttribute", adds: [Array("x".utf8)]), 17),
            (.init("uid", removes: [Array("u0".utf8)]), 64),
            (.init("memberOf", adds: [Array(Slapd.group("g").utf8)], isReplaced: true), 19),
            (.init("entryUUID", adds: [Array("f81d4fae-7dec-11d0-a765-00a0c91e6bf6".utf8)], isReplaced: true), 19),
            (.init("title", adds: [Array("dr".utf8)]), 19),
            (.init("seeAlso", adds: [Array("no name".utf8)]), 21),
            (.init("sn", isReplaced: true), 65),
        ]
        for row in rows {
            // Already so where memberOf is what the overlay says, so another group is asked for.
            let edit =
                row.edit.attribute == "memberOf"
                ? EntryWriter.Edit("memberOf", adds: [Array("cn=other,dc=example,dc=org".utf8)], isReplaced: true)
                : row.edit
            let problem = await #expect(throws: DirectoryWriteProblem.self, "\(row)") {
                try await writer.modify(.init(name), [edit])
            }
            #expect(problem?.code == "ldap_\(row.code)", "\(row.edit.attribute): \(problem?.text ?? "")")
        }
        #expect(pool.counters.value.benignVerified == 0)
        var anonymous = slapd.settings
        (anonymous.bindName, anonymous.password) = (nil, nil)
        let nobody = DirectoryPool(anonymous, quietWorld)
        #expect(try await nobody.code(name, .init(.replace, "title", ["Dr"])) == 8)
        await #expect(throws: DirectoryWriteProblem.self) {
            try await MembershipWriter(nobody).converge(g, adds: [Slapd.person(1)], deletes: [])
        }
        nobody.close()
        pool.close()
    }
}
