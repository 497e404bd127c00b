import Testing
import WeirConnectors
import WeirGates
import WeirTestKit

@Suite("The threshold of a connector with a process of its own", .timeLimit(.minutes(5)))
struct ToldThresholdTests {
    @Test("is its gate's too, from the ping on that tells it, also after a restart")
    func told() async throws {
        let stage = CoreStage()
        stage.intake.close()
        let gates = stage.gates
        let untold = ConnectorReport()
        var told = ConnectorReport()
        told.queueThreshold = 0.000_01
        let report = told
        try await stage.live(with: "c") { connectors in
            try await connectors.push(Sample.push(Sample.bundle([Sample.object(1)])), deadline: nil)
            _ = try await connectors.ping("c", state: nil, report: untold)
            #expect(gates.reading("connector/c")?.state == .open)
            _ = try await connectors.ping("c", state: nil, report: report)
            #expect(gates.reading("connector/c")?.state == .buffering)
            // A process that starts again pings its library's defaults first.
            _ = try await connectors.ping("c", state: nil, report: untold)
            #expect(gates.reading("connector/c")?.limit.amount == 10)
            _ = try await connectors.ping("c", state: nil, report: report)
        }
        try await stage.live { _ in
            #expect(gates.reading("connector/c")?.state == .buffering)
            #expect(gates.reading("connector/c")?.limit.origin == "CONNECTOR_QUEUE_THRESHOLD of its process")
        }
    }
}
