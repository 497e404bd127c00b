package import WeirWorld

/// Who is connected with what, since when: told once, when a connection is carried.
package struct ConnectionOpening: Sendable, Hashable {
    package var connector: String
    package var listener: String
    /// `10.0.0.9:50123`; `nil` when unknown.
    package var client: String?
    package var agent: String
    package var since: WallTime
    /// Of the decision that let it in, when it gave one.
    package var decision: String?

    package init(
        connector: String, listener: String, client: String?, agent: String, since: WallTime, decision: String? = nil
    ) {
        self.connector = connector
        self.listener = listener
        self.client = client
        self.agent = agent
        self.since = since
        self.decision = decision
    }
}
