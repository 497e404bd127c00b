import NIOCore
import Testing
import WeirStore
import WeirWorld

@testable import WeirTunnel

@Suite("Who an agent is", .serialized)
struct EnrolmentTests {
    private func counting() async throws -> any Channel { try await target { count in Array("\(count)".utf8) } }

    @Test(
        "a token enrols once, the certificate serves from then on, and a revocation ends it", arguments: [false, true])
    func enrols(onlyWebSocket: Bool) async throws {
        let server = try await counting()
        let targets = ["echo": server.localAddress?.port ?? 0]
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: ["echo"], by: "test")
            let agent = try await stage.agent(
                "site-01", targets: targets, token: token, onlyWebSocket: onlyWebSocket)
            try await stage.with(agent) {
                try await holds("the agent is there") { stage.hub.roster.agents["site-01"] != nil }
                #expect(try await stage.echo("five!").text == "5")
            }
            #expect(stage.trust.members.map(\.agent) == ["site-01"])
            // Without the token: the certificate is on disk.
            let again = try await stage.agent("site-01", targets: targets, onlyWebSocket: onlyWebSocket)
            try await stage.with(again) {
                try await holds("it comes back") { again.isConnected }
                #expect(try await stage.echo("four").text == "4")
                try await stage.hub.revoke("site-01", by: "test", why: "the machine is gone")
                try await holds("it is refused") { again.refusal?.code == "agent_revoked" }
                #expect(stage.hub.roster.agents.isEmpty)
            }
            // The token was spent.
            let thief = try await stage.agent("site-01", targets: targets, token: token, keeps: false)
            try await stage.with(thief) {
                try await holds("the token is refused") { thief.refusal?.code == "token_used" }
            }
            let audit = try await stage.ledger.audit(subject: "agent/site-01", most: 10)
            #expect(audit.map(\.action) == ["revoke_agent", "enrol", "make_token"])
        }
        try await server.close()
    }

    @Test("a token is good for its agent, in its time, for its connectors")
    func refuses() async throws {
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            func refusal(_ id: String, _ token: String) async throws -> String? {
                let agent = try await stage.agent(id, targets: ["other": 1], token: token, keeps: false)
                try await stage.with(agent) { try await holds("refused") { agent.refusal != nil } }
                return agent.refusal?.code
            }
            let late = try await stage.trust.makeToken(agent: "a", connectors: nil, life: .zero, by: "test")
            #expect(try await refusal("a", late) == "token_expired")
            let other = try await stage.trust.makeToken(agent: "a", connectors: nil, by: "test")
            #expect(try await refusal("b", other) == "agent_mismatch")
            let own = EnrolmentToken(agent: "c", authority: PEMText.base64(stage.trust.authority.certificatePEM))
            #expect(try await refusal("c", own.text) == "token_unknown")
            let narrow = try await stage.trust.makeToken(agent: "d", connectors: ["echo"], by: "test")
            #expect(try await refusal("d", narrow) == "connector_not_allowed")
            let bare = try await stage.agent("e", targets: ["echo": 1], keeps: false)
            // It does not even trust the hub.
            try await stage.with(bare) { try await Task.sleep(for: .milliseconds(100)) }
            #expect(!bare.isConnected)
        }
    }

    @Test("a certificate is renewed at two thirds of its life, and its streams go on")
    func renews() async throws {
        let server = try await counting()
        let stage = try await DoorStage(listeners: ["echo"]) { $0.agentLife = .seconds(6) }
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            try await stage.with(agent) {
                try await holds("the agent is there") { agent.isConnected }
                let link = stage.hub.roster.agents["site-01"]?.links.first?.id
                let first = try #require(agent.trust?.expiry)
                let client = PlainSocket.connect(stage.hub.ports[0])
                #expect(client.send([1, 2]) == 2)
                try await holds("it is renewed, and again") {
                    agent.trust?.expiry.map { $0 - first > .seconds(6) } ?? false
                }
                #expect(stage.hub.roster.agents["site-01"]?.links.first?.id == link)
                client.finish()
                let lane = stage.world.blocking.lane("client")
                let read = try await lane.run { client.readAll() }
                lane.close()
                #expect(read.end == 0 && String(decoding: read.bytes, as: UTF8.self) == "2")
                client.close()
            }
        }
        try await server.close()
    }
}

@Suite("A renewal that is refused", .serialized)
struct RefusedRenewalTests {
    @Test("leaves the link and its streams as they are until what was shown ends, and is said where an agent is asked")
    func refused() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"]) { $0.agentLife = .seconds(15) }
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            try await stage.with(agent) {
                try await holds("the agent is there") { agent.isConnected }
                let link = stage.hub.roster.agents["site-01"]?.links.first?.id
                let client = PlainSocket.connect(stage.hub.ports[0])
                #expect(client.send([1]) == 1)
                try await holds("it is open") { stage.observer.now.connections["opened"] == 1 }
                // Struck out in the book, as by another hub of whose word this one's links have not heard yet.
                try await stage.trust.revoke("site-01", by: "test", why: "lost")
                try await holds("its renewal was refused") { agent.look.trouble != nil }
                let look = agent.look
                #expect(look.isConnected && look.linkAttempts == 0)
                let trouble = try #require(look.trouble)
                #expect(trouble.sentence.hasPrefix("The hub did not renew what this agent shows: "))
                #expect(trouble.help?.contains("weir tunnel token --agent site-01") == true)
                try await holds("it tries again") { (agent.look.trouble?.attempts ?? 0) > 1 }
                #expect(stage.hub.roster.agents["site-01"]?.links.first?.id == link)
                client.finish()
                let lane = stage.world.blocking.lane("client")
                let read = try await lane.run { client.readAll() }
                lane.close()
                #expect(read.end == 0 && String(decoding: read.bytes, as: UTF8.self) == "1")
                client.close()
                try await holds("the link ends with what was shown") {
                    stage.hub.roster.agents.isEmpty && !agent.isConnected
                }
            }
        }
        try await server.close()
    }
}

@Suite("The book of who may enrol")
struct EnrolmentBookTests {
    private let now = WallTime(nanoseconds: 1_000_000_000)
    private func token(_ id: String, for agent: String = "a") -> EnrolmentBook.Token {
        .init(id: id, agent: agent, connectors: nil, made: now, expiry: now + .seconds(60), maker: "test")
    }

    @Test("a token is spent by its first use, in time, by its agent")
    func tokens() throws {
        var book = EnrolmentBook(tokens: [token("t")])
        #expect(throws: EnrolmentBook.Refusal.tokenUnknown) { try book.use("x", by: "a", at: now) }
        #expect(throws: EnrolmentBook.Refusal.agentMismatch) { try book.use("t", by: "b", at: now) }
        #expect(throws: EnrolmentBook.Refusal.tokenExpired) { try book.use("t", by: "a", at: now + .seconds(60)) }
        _ = try book.use("t", by: "a", at: now)
        #expect(throws: EnrolmentBook.Refusal.tokenUsed) { try book.use("t", by: "a", at: now) }
    }

    @Test("certificates are good until they end, a new enrolment, or a revocation; old ones make room")
    func certificates() throws {
        var book = EnrolmentBook(tokens: [token("t"), token("u")])
        let first = try book.use("t", by: "a", at: now)
        _ = book.enrolled(first, .init(serial: "1", expiry: now + .seconds(10)), at: now)
        _ = try book.check("a", serial: "1", at: now)
        #expect(throws: EnrolmentBook.Refusal.certificateUnknown) { try book.check("a", serial: "9", at: now) }
        #expect(throws: EnrolmentBook.Refusal.certificateExpired) {
            try book.check("a", serial: "1", at: now + .seconds(10))
        }
        for number in 2..<30 {
            _ = try book.renewed("a", .init(serial: "\(number)", expiry: now + .seconds(10)), at: now)
        }
        #expect(book.members["a"]?.certificates.count == EnrolmentBook.certificatesMost)
        let second = try book.use("u", by: "a", at: now)
        _ = book.enrolled(second, .init(serial: "new", expiry: now + .seconds(10)), at: now)
        #expect(throws: EnrolmentBook.Refusal.certificateUnknown) { try book.check("a", serial: "29", at: now) }
        _ = book.add(token("v"))
        #expect(book.revoke("a", why: "lost", at: now) != nil)
        #expect(throws: EnrolmentBook.Refusal.agentRevoked) { try book.check("a", serial: "new", at: now) }
        #expect(throws: EnrolmentBook.Refusal.tokenUsed) { try book.use("v", by: "a", at: now) }
        #expect(throws: EnrolmentBook.Refusal.agentUnknown) { try book.check("b", serial: "1", at: now) }
    }
}
