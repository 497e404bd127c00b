import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

@Suite("A connection to slapd", .enabled(if: Slapd.isHere, "slapd is not installed"))
struct ConnectionTests {
    @Test("binds, reads, writes, compares")
    func works() async throws {
        let slapd = try await Slapd.started(entries: Slapd.people(3))
        let connection = try await DirectoryConnection.open(slapd.settings, quietWorld)
        let found = try await connection.send(
            .search(
                .init(base: Slapd.suffix, scope: .subtree, filter: .equal("uid", "u1"), attributes: ["cn", "mail"])))
        #expect(found.code == .success)
        #expect(found.page.count == 1)
        #expect(found.page.first?.name == Slapd.person(1))
        #expect(found.page.first?.texts("CN") == ["User 1"])
        let changed = try await connection.send(
            .modify(name: Slapd.person(1), [.init(.replace, "mail", ["a@b", "c@d"])]),
            controls: [.postRead(["mail", "entryCSN"])])
        #expect(changed.code == .success)
        #expect(changed.after?.texts("mail").sorted() == ["a@b", "c@d"])
        let compared = try await connection.send(
            .compare(name: Slapd.person(1), attribute: "mail", value: Array("A@B".utf8)))
        #expect(compared.code == .compareTrue)
        let missing = try await connection.send(.delete(name: Slapd.person(9)))
        #expect(missing.code == .noSuchObject)
        #expect(missing.matched == "ou=people,dc=example,dc=org")
        connection.close()
    }

    @Test("carries many requests at once, and each gets its own answer")
    func many() async throws {
        let slapd = try await Slapd.started(entries: Slapd.people(200))
        let connection = try await DirectoryConnection.open(slapd.settings, quietWorld)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let answer = try await connection.send(.search(.init(base: Slapd.person(number))))
                    #expect(answer.page.first?.text("sn") == "\(number)")
                }
            }
            try await group.waitForAll()
        }
        connection.close()
        await #expect(throws: DirectoryFailure.self) {
            try await connection.send(.search(.init(base: Slapd.suffix)))
        }
    }

    @Test("sends requests of megabytes")
    func large() async throws {
        let slapd = try await Slapd.started(entries: Slapd.group("g", members: [0]))
        let connection = try await DirectoryConnection.open(slapd.settings, quietWorld)
        let members = (1..<40_000).map { Slapd.person($0) }
        let answer = try await connection.send(
            .modify(name: Slapd.group("g"), [.init(.add, "member", members)]), limit: .seconds(300))
        #expect(answer.code == .success, "\(answer.sentence)")
        let read = try await connection.send(.search(.init(base: Slapd.group("g"), attributes: ["member"])))
        #expect(read.page.first?.attribute("member")?.count == 40_000)
        connection.close()
    }
}
