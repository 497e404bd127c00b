import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

/// What Samba's AD answers, row by row, and what becomes of it. One server for all: every test has names of its own.
@Suite("What codes mean on Active Directory", .serialized, .enabled(if: SambaAD.isHere, SambaAD.absence))
struct ActiveDirectoryTableTests {
    @Test("A member that is there already: 68; one that is not: 53; both looked at")
    func members() async throws {
        let pool = try await SambaAD.pool()
        let users = try await pool.addUsers("m1", "m2", "m3", "m4")
        let group = try await pool.addGroup("mg", [users[0], users[1]])
        #expect(try await pool.root().kind == .activeDirectory)
        #expect(try await pool.code(group, .init(.add, "member", [users[0]])) == 68)
        #expect(try await pool.code(group, .init(.delete, "member", [users[2]])) == 53)
        #expect(try await pool.code(group, .init(.add, "member", [users[2], users[0], users[3]])) == 68)
        #expect(try await pool.code(group, .init(.delete, "member", [users[1], users[2]])) == 53)
        #expect(try await pool.members(group) == users.prefix(2).sorted())
        let writer = MembershipWriter(pool, unlooking())
        let outcome = try await writer.converge(
            group, adds: [users[2], users[0], users[3], users[3].lowercased()], deletes: [users[1]])
        #expect(outcome.added == 2 && outcome.deleted == 1 && outcome.already == 2 && outcome.refused.isEmpty)
        let again = try await writer.converge(
            group, adds: [users[2], users[0], users[3]], deletes: [users[1]])
        #expect(again.added == 0 && again.deleted == 0 && again.already == 4)
        #expect(try await pool.members(group) == [users[0], users[2], users[3]].sorted())
        #expect(pool.counters.value.benignVerified > 0)
        pool.close()
    }

    @Test("The last member may go: AD's groups may be empty")
    func lastMember() async throws {
        let pool = try await SambaAD.pool()
        let users = try await pool.addUsers("l1")
        let group = try await pool.addGroup("lg", users)
        #expect(try await MembershipWriter(pool).converge(group, adds: [], deletes: users).deleted == 1)
        #expect(try await pool.members(group) == [])
        #expect(try await pool.code(group, .init(.replace, "member", [String]())) == 0)
        pool.close()
    }

    @Test("A member that is nowhere: 32 for the whole batch, and refused alone; one that has gone is gone from groups")
    func dangling() async throws {
        let pool = try await SambaAD.pool()
        let users = try await pool.addUsers("d1", "d2")
        let group = try await pool.addGroup("dg", [users[1]])
        let nowhere = SambaAD.user("nowhere")
        #expect(try await pool.code(group, .init(.add, "member", [users[0], nowhere])) == 32)
        let outcome = try await MembershipWriter(pool).converge(group, adds: [users[0], nowhere], deletes: [])
        #expect(outcome.added == 1)
        #expect(outcome.refused.map(\.value) == [nowhere])
        #expect(outcome.refused.map(\.code.number) == [32])
        #expect(try await pool.send(.delete(name: users[1])).code.number == 0)
        #expect(try await pool.code(group, .init(.delete, "member", [users[1]])) == 53)
        let gone = try await MembershipWriter(pool, unlooking()).converge(group, adds: [], deletes: [users[1]])
        #expect(gone.already == 1 && gone.refused.isEmpty)
        pool.close()
    }

    @Test("The primary group: to come is already so, to go is refused, though no list shows the member")
    func primaryGroup() async throws {
        let pool = try await SambaAD.pool()
        let users = try await pool.addUsers("p1")
        let primary = "CN=Domain Users,\(SambaAD.users)"
        #expect(try await pool.code(primary, .init(.add, "member", users)) == 68)
        #expect([16, 53].contains(try await pool.code(primary, .init(.delete, "member", users))))
        let writer = MembershipWriter(pool)
        let added = try await writer.converge(primary, adds: users, deletes: [])
        #expect(added.already == 1 && added.refused.isEmpty)
        let removed = try? await writer.converge(primary, adds: [], deletes: users)
        #expect(removed == nil || removed?.refused.count == 1, "\(String(describing: removed))")
        #expect(removed?.already ?? 0 == 0 && removed?.deleted ?? 0 == 0)
        #expect(pool.counters.value.benignRefuted + pool.counters.value.benignVerified > 0)
        pool.close()
    }

    @Test("A single-valued attribute: 20 for its own value and for another; only the first is already so")
    func singleValued() async throws {
        let pool = try await SambaAD.pool()
        let name = try await pool.addUsers("s1")[0]
        #expect(try await pool.code(name, .init(.replace, "displayName", ["Jane"])) == 0)
        #expect(try await pool.code(name, .init(.add, "displayName", ["Jane"])) == 20)
        #expect(try await pool.code(name, .init(.add, "displayName", ["John"])) == 20)
        let writer = EntryWriter(pool, base: SambaAD.suffix)
        let same = try await writer.modify(.init(name), [.init("displayName", adds: [Array("JANE".utf8)])])
        guard case .alreadySo = same else { return #expect(Bool(false), "\(same)") }
        let problem = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.modify(.init(name), [.init("displayName", adds: [Array("John".utf8)])])
        }
        #expect(problem?.code == "ldap_20")
        #expect(pool.counters.value.benignVerified == 1 && pool.counters.value.benignRefuted == 1)
        pool.close()
    }

    @Test("Values and attributes that are not there, and one that no schema knows: 16 each, and only the first are so")
    func absentValues() async throws {
        let pool = try await SambaAD.pool()
        let name = try await pool.addUsers("a1")[0]
        #expect(try await pool.code(name, .init(.delete, "url", ["x"])) == 16)
        #expect(try await pool.code(name, .init(.delete, "url", [String]())) == 16)
        #expect(try await pool.code(name, .init(.replace, "url", [String]())) == 0)
        #expect(try await pool.code(name, .init(.add, "noSuchThing", ["x"])) == 16)
        let writer = EntryWriter(pool, base: SambaAD.suffix)
        let removed = try await writer.modify(.init(name), [.init("url", removes: [Array("x".utf8)])])
        guard case .alreadySo = removed else { return #expect(Bool(false), "\(removed)") }
        let problem = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.modify(.init(name), [.init("noSuchThing", adds: [Array("x".utf8)])])
        }
        #expect(problem?.code == "ldap_16")
        pool.close()
    }

    @Test("An entry that is there already, and an account name that another entry has: both 68")
    func addEntry() async throws {
        let pool = try await SambaAD.pool()
        let name = try await pool.addUsers("e1")[0]
        let writer = EntryWriter(pool, base: SambaAD.suffix)
        func attributes(_ account: String) -> [DirectoryValues] {
            [DirectoryValues("objectClass", ["user"]), DirectoryValues("sAMAccountName", [account])]
        }
        guard case .alreadySo(let anchor?) = try await writer.add(name, attributes("e1")) else {
            return #expect(Bool(false))
        }
        #expect(anchor.count == 36)
        let root = try await pool.root()
        #expect(try await writer.find(.init("CN=wrong,\(SambaAD.users)", anchor: anchor), [], root)?.name == name)
        let otherwise = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.add(name, attributes("e2"))
        }
        #expect(otherwise?.code == "exists_otherwise")
        let conflict = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.add(SambaAD.user("e3"), attributes("e1"))
        }
        #expect(conflict?.code == "ldap_68")
        pool.close()
    }

    @Test("Deleted, renamed, renamed again: 32 and 68, by the entry's own objectGUID")
    func deleteAndRename() async throws {
        let pool = try await SambaAD.pool()
        let names = try await pool.addUsers("r1", "r2")
        let writer = EntryWriter(pool, base: SambaAD.suffix)
        let root = try await pool.root()
        let anchor = try await writer.find(.init(names[0]), [], root).flatMap { EntryAnchor.text(of: $0, root) }
        let target = EntryWriter.Target(names[0], anchor: anchor)
        #expect(try await writer.rename(target, to: SambaAD.user("r3")) == .written(anchor: anchor))
        #expect(try await writer.rename(target, to: SambaAD.user("r3")) == .alreadySo(anchor: anchor))
        #expect(try await pool.send(.rename(name: names[0], leaf: "CN=r3", newParent: nil)).code.number == 32)
        let taken = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.rename(target, to: names[1])
        }
        #expect(taken?.code == "another_entry")
        let missing = try await pool.send(.delete(name: SambaAD.user("r9")))
        #expect(missing.code.number == 32 && missing.matched.isEmpty)
        #expect(try await writer.delete(target) == .written(anchor: anchor))
        #expect(try await writer.delete(target) == .alreadySo(anchor: anchor))
        let parent = await #expect(throws: DirectoryWriteProblem.self) {
            try await writer.delete(.init(SambaAD.users))
        }
        #expect(["ldap_66", "ldap_53"].contains(parent?.code), "\(String(describing: parent))")
        pool.close()
    }

    @Test("What is never swallowed: back-links, names, what may not be written, nobody's writes")
    func refusals() async throws {
        let pool = try await SambaAD.pool()
        let name = try await pool.addUsers("n1")[0]
        let group = try await pool.addGroup("ng")
        let writer = EntryWriter(pool, base: SambaAD.suffix)
        let rows: [(edit: EntryWriter.Edit, codes: [Int32])] = [
            (.init("memberOf", adds: [Array(group.utf8)]), [53]),
            (.init("cn", removes: [Array("n1".utf8)]), [67, 64]),
            (.init("objectGUID", adds: [Array("0123456789abcdef".utf8)], isReplaced: true), [19, 53]),
            (.init("manager", adds: [Array("no name".utf8)]), [34, 21]),
        ]
        for row in rows {
            let problem = await #expect(throws: DirectoryWriteProblem.self, "\(row)") {
                try await writer.modify(.init(name), [row.edit])
            }
            #expect(
                row.codes.map { "ldap_\($0)" }.contains(problem?.code), "\(row.edit.attribute): \(problem?.text ?? "")")
        }
        var anonymous = try await SambaAD.shared.value.settings
        (anonymous.bindName, anonymous.password) = (nil, nil)
        let nobody = DirectoryPool(anonymous, quietWorld)
        #expect(try await nobody.code(name, .init(.replace, "title", ["Dr"])) == 1)
        nobody.close()
        var wrong = try await SambaAD.shared.value.settings
        wrong.password = "wrong"
        let refused = await #expect(throws: DirectoryFailure.self) {
            try await DirectoryConnection.open(wrong, quietWorld)
        }
        #expect(refused?.code == "ldap_49")
        pool.close()
    }

    @Test("A large group is read whole, range by range, and its members come and go in batches")
    func largeGroup() async throws {
        let pool = try await SambaAD.pool()
        var users: [String] = []
        for number in 0..<40 { users += try await pool.addUsers("big\(number)") }
        let group = try await pool.addGroup("biggroup")
        #expect(try await MembershipWriter(pool).converge(group, adds: users, deletes: []).added == 40)
        // Samba gives ranges only where they are asked for: then it is as AD does by itself above 1,500.
        var names: [String] = []
        let result: Result<Void, Never> = try await pool.scan(
            .init(base: group, attributes: ["member;range=0-9"]), pageSize: 10
        ) { (page) async throws(Never) in
            for place in 0..<page.count { names += page[place].texts("member") }
        }
        _ = result
        #expect(names.sorted() == users.sorted())
        pool.close()
    }
}
