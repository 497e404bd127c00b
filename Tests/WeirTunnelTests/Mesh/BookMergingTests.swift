import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("The common book of agents")
struct BookMergingTests {
    private static func time(_ seconds: Int64) -> WallTime { WallTime(nanoseconds: seconds * 1_000_000_000) }

    private static func member(_ random: inout SplitMix) -> EnrolmentBook.Member {
        var member = EnrolmentBook.Member(
            agent: "x", connectors: nil, since: time(Int64.random(in: 0...2, using: &random)))
        member.era = Int.random(in: 0...2, using: &random)
        if Bool.random(using: &random) {
            member.certificates = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                let serial = Int64.random(in: 0...30, using: &random)
                return .init(serial: "\(serial)", expiry: time(serial))
            }
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            member.revoked = time(Int64.random(in: 0...3, using: &random))
            member.why = ["lost", "stolen"].randomElement(using: &random)
            member.certificates = []
        }
        // As books are: no serial twice, in order, and so many at the most.
        return member.merged(with: member)
    }

    @Test("Merging does not depend on the order, and doing it twice changes nothing", arguments: 0..<300)
    func merging(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let (a, b, c) = (Self.member(&random), Self.member(&random), Self.member(&random))
        #expect(a.merged(with: b) == b.merged(with: a))
        #expect(a.merged(with: b).merged(with: c) == a.merged(with: b.merged(with: c)))
        #expect(a.merged(with: b).merged(with: b) == a.merged(with: b))
    }

    @Test("A revocation is stronger than a renewal beside it, and weaker than enrolling anew after it")
    func revocation() throws {
        var here = EnrolmentBook()
        let token = EnrolmentBook.Token(
            id: "t", agent: "x", connectors: nil, made: Self.time(0), expiry: Self.time(100), maker: "m")
        _ = here.add(token)
        var there = here
        let used = try here.use("t", by: "x", at: Self.time(1))
        let enrolled = here.enrolled(used, .init(serial: "1", expiry: Self.time(50)), at: Self.time(1))
        let told = there.merge(tokens: [used], members: [enrolled], at: Self.time(1))
        #expect(told.members == [enrolled] && told.revoked.isEmpty)
        let known = there
        #expect(throws: EnrolmentBook.Refusal.tokenUsed) {
            var book = known
            _ = try book.use("t", by: "x", at: Self.time(2))
        }
        // At the same time: renewed here, revoked there.
        let renewed = try here.renewed("x", .init(serial: "2", expiry: Self.time(60)), at: Self.time(3))
        let struck = there.revoke("x", why: "lost", at: Self.time(3))
        let revoked = try #require(struck)
        let learned = here.merge(tokens: [], members: [revoked], at: Self.time(4))
        #expect(learned.revoked == ["x"] && here.members["x"]?.certificates.isEmpty == true)
        let late = there.merge(tokens: [], members: [renewed], at: Self.time(4))
        #expect(late.members.isEmpty)
        let again = there.enrolled(token, .init(serial: "3", expiry: Self.time(70)), at: Self.time(5))
        _ = here.merge(tokens: [], members: [again], at: Self.time(6))
        #expect(here.members["x"]?.revoked == nil && here.members["x"]?.certificates.map(\.serial) == ["3"])
    }

    @Test("What is sealed opens with the same secret at the same place only")
    func seal() throws {
        let seal = MeshSeal(secret: "correct horse battery staple")
        let closed = try seal.close([1, 2, 3] as [UInt8], at: "agents/x")
        #expect(try [UInt8](seal.open(closed, at: "agents/x")) == [1, 2, 3])
        #expect(throws: TunnelFailure.self) { try seal.open(closed, at: "agents/y") }
        #expect(throws: TunnelFailure.self) { try MeshSeal(secret: "another").open(closed, at: "agents/x") }
        #expect(throws: TunnelFailure.self) { try seal.open(Array(closed.dropLast()), at: "agents/x") }
        #expect(throws: TunnelFailure.self) { try seal.open([], at: "agents/x") }
    }
}
