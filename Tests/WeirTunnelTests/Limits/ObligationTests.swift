import Glibc
import NIOCore
import Synchronization
import Testing
import WeirWorld

@testable import WeirTunnel

/// Lets everybody in, under conditions.
private struct Obliging: OpenPolicy {
    var change: @Sendable (inout OpenDecision) -> Void
    func decide(_ question: OpenQuestion) async -> OpenDecision {
        var decision = OpenDecision(.allow, .pdp, isAllowed: true)
        change(&decision)
        return decision
    }
}

@Suite("What a decision obliges to", .serialized)
struct ObligationTests {
    private func run(
        _ change: @escaping @Sendable (inout OpenDecision) -> Void, answer: Int = 0, sends: Int, finishes: Bool = true,
        bandwidth: Int64? = nil, _ check: @escaping @Sendable (TunnelStage, Int, CInt) async throws -> Void
    ) async throws {
        let server = try await target { _ in Array(repeating: 1, count: answer) }
        let auditor = KeepingAuditor()
        let stage = try TunnelStage(
            targets: [:], listeners: ["echo"], policy: Obliging(change: change), auditor: auditor
        ) { settings in
            settings.bandwidth["echo"] = bandwidth
        }
        try await stage.run(targets: ["echo": server.localAddress?.port ?? 0]) { _ in
            let lane = stage.world.blocking.lane("client")
            let read = try await lane.run {
                let client = PlainSocket.connect(stage.hub.ports[0])
                defer { client.close() }
                _ = client.send(Array(repeating: 1, count: sends))
                if finishes { client.finish() }
                let read = client.readAll()
                return (read.bytes.count, read.end)
            }
            lane.close()
            try await holds("its end is recorded") { auditor.all.contains { $0.end != nil } }
            try await check(stage, read.0, read.1)
        }
        try await server.close()
    }

    @Test(
        "bytes: what is allowed passes, the byte after it resets the connection",
        arguments: [(1_000, true), (999, false)])
    func bytes(most: Int64, passes: Bool) async throws {
        let change: @Sendable (inout OpenDecision) -> Void = { $0.bytesMost = most }
        try await run(change, answer: 400, sends: 600) { stage, heard, end in
            #expect((heard == 400 && end == 0) == passes)
            #expect(stage.observer.now.ends["byte_limit"] == (passes ? nil : 1))
        }
    }

    @Test("duration: then it is reset")
    func duration() async throws {
        let change: @Sendable (inout OpenDecision) -> Void = { $0.durationMost = .milliseconds(50) }
        try await run(change, sends: 1, finishes: false) { stage, _, end in
            #expect(end == ECONNRESET && stage.observer.now.ends["duration_limit"] == 1)
        }
    }

    @Test("rate: all comes, in both directions, and waits for its turn")
    func rate() async throws {
        let change: @Sendable (inout OpenDecision) -> Void = { $0.rate = 400_000 }
        try await run(change, answer: 300_000, sends: 300_000) { stage, heard, end in
            #expect(heard == 300_000 && end == 0)
            #expect(stage.observer.now.rated > 0)
        }
    }

    @Test("a connector's bandwidth is a gate that says since when it holds back")
    func gate() async throws {
        let change: @Sendable (inout OpenDecision) -> Void = { _ in }
        try await run(change, answer: 300_000, sends: 300_000, bandwidth: 400_000) { stage, heard, end in
            #expect(heard == 300_000 && end == 0)
            let gate = try #require(stage.hub.gates["echo"])
            // It has held a moment ago; a second of rest would end that on a quiet machine only.
            #expect(gate.rate == 400_000 && stage.observer.now.rated > 0)
        }
    }
}
