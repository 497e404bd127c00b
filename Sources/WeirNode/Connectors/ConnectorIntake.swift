import WeirFlow
import WeirWorld

/// Where the events of connectors go: straight to the destination that a connector names, else through the routes. A
/// batch is of one connector.
struct ConnectorIntake: Intake {
    let routes: any Intake
    /// By connector.
    let direct: [String: any Intake]

    var name: String { "connectors" }

    func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        try await (direct[batch.context.source] ?? routes).accept(batch, deadline: deadline)
    }
}
