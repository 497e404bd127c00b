import WeirGates
import WeirNode
import WeirTunnel
import WeirWorld

/// A hub with one connector and one agent, for the page of the metrics.
struct FakeTunnel: TunnelAccess {
    let givesNowConnectNames: Bool
    var mesh: MeshStatus? {
        let peer = MeshStatus.Peer(
            name: "hub-b", address: "10.0.0.2:8766", isUp: true, since: FakeTime.start, roundTrip: .milliseconds(1),
            streams: 0)
        let owner = AgentOwner(agent: "site-01", hub: "hub-a", epoch: 7, connectors: ["addomain"], isHere: true)
        return MeshStatus(mode: "active", hub: "hub-a", isLeased: true, peers: [peer], owners: [owner])
    }
    var decisions: DecisionService? { nil }
    var refusedAgents: [String: UInt64] { [:] }
    var doorEnds: [DoorEnd: UInt64] { [.tls: 3] }

    var tunnels: [TunnelStatus] {
        [
            TunnelStatus(
                connector: "addomain", listeners: ["127.0.0.1:1389"], agents: ["site-01"], connections: 1, blocked: 0,
                queued: 0, queueMost: 256 << 10, queueDepth: 4 << 20, figures: ConnectorFigures(), troubles: [])
        ]
    }

    var agents: [AgentStatus] {
        var figures = AgentFigures(joined: FakeTime.start)
        figures.reconnects = ["closed": 1]
        var agent = AgentStatus(name: "site-01", figures: figures)
        agent.connectedSince = FakeTime.start
        agent.certificateExpiry = FakeTime.start
        agent.certificateRenewal = FakeTime.start
        return [agent]
    }

    func connections(of connector: String, limit: Int) -> [ConnectionFigures]? { nil }
    func probe(_ connector: String) async -> TunnelProbe? { nil }
    func token(agent: String, connectors: [String], life: Duration, by: String) async throws(TunnelFailure) -> String {
        throw TunnelFailure("not_open", "There is no hub.")
    }
    func authority() throws(TunnelFailure) -> String { throw TunnelFailure("not_open", "There is no hub.") }
    func revoke(agent: String, by: String, reason: String) async throws(TunnelFailure) -> Bool { false }
    func close(_ connector: String, client: String?, by: String) -> Int { 0 }
}
