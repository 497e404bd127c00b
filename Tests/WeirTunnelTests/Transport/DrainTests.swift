import Glibc
import NIOCore
import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("Going away", .serialized)
struct DrainTests {
    @Test("an agent that stops takes no new streams and lets those that are open end")
    func agentStops() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            let running = Task { await agent.run() }
            try await holds("it is there") { agent.isConnected }
            let open = PlainSocket.connect(stage.hub.ports[0])
            #expect(open.send([1, 2, 3]) == 3)
            // Not only on its way: an agent that drains refuses what was not opened before.
            try await holds("it is open") { stage.observer.now.connections["opened"] == 1 }
            running.cancel()
            try await holds("no new ones come") { stage.hub.roster.agents["site-01"] == nil }
            #expect(try await stage.echo("new").end == ECONNRESET)
            open.finish()
            let lane = stage.world.blocking.lane("client")
            let read = try await lane.run { open.readAll() }
            lane.close()
            #expect(read.end == 0 && String(decoding: read.bytes, as: UTF8.self) == "3")
            open.close()
            await running.value
        }
        try await server.close()
    }

    @Test("a link whose numbers for streams are used up is replaced, and what is open on it goes on")
    func usedUp() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            try await stage.with(agent) {
                try await holds("it is there") { agent.isConnected }
                let first = try #require(stage.hub.roster.agents["site-01"]?.links.first)
                // The last but one.
                first.loop.execute { first.bound.value.session.nextID = .max - 3 }
                let open = PlainSocket.connect(stage.hub.ports[0])
                #expect(open.send([1, 2]) == 2)
                try await holds("it is open") { first.streams == 1 }
                #expect(try await stage.echo("x").end == ECONNRESET, "there is no number left, and no other link yet")
                try await holds("another link") {
                    stage.hub.roster.agents["site-01"]?.links.map(\.id).contains { $0 != first.id } == true
                }
                #expect(try await stage.echo("four").text == "4")
                open.finish()
                let lane = stage.world.blocking.lane("client")
                let read = try await lane.run { open.readAll() }
                lane.close()
                #expect(read.end == 0 && String(decoding: read.bytes, as: UTF8.self) == "2")
                open.close()
            }
        }
        try await server.close()
    }

    @Test("a link that the hub lets go of is replaced before its streams have ended")
    func hubLetsGo() async throws {
        let server = try await target { count in Array("\(count)".utf8) }
        let stage = try await DoorStage(listeners: ["echo"])
        try await stage.run {
            let token = try await stage.trust.makeToken(agent: "site-01", connectors: nil, by: "test")
            let agent = try await stage.agent(
                "site-01", targets: ["echo": server.localAddress?.port ?? 0], token: token)
            try await stage.with(agent) {
                try await holds("it is there") { agent.isConnected }
                let first = try #require(stage.hub.roster.agents["site-01"]?.links.first)
                let open = PlainSocket.connect(stage.hub.ports[0])
                #expect(open.send([1]) == 1)
                try await holds("it is open") { first.streams == 1 }
                first.drain()
                try await holds("another link") {
                    let links = stage.hub.roster.agents["site-01"]?.links ?? []
                    return links.contains { $0.id != first.id }
                }
                #expect(try await stage.echo("four").text == "4")
                #expect(first.streams == 1)
                open.finish()
                let lane = stage.world.blocking.lane("client")
                let read = try await lane.run { open.readAll() }
                lane.close()
                #expect(read.end == 0 && String(decoding: read.bytes, as: UTF8.self) == "1")
                open.close()
            }
        }
        try await server.close()
    }
}
