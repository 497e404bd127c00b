/// Why a connection at the hub's door did not become an agent's link: the `reason` of
/// `weir_tunnel_door_closed_total`. Agents that were refused by name or proof are counted by themselves.
package enum DoorEnd: String, Sendable, Hashable, CaseIterable {
    /// Too many were on their way at the same time.
    case full
    /// Its time was over before it had said what it wants.
    case slow
    /// No TLS 1.3.
    case tls
    /// A certificate that was shown is of no authority that is trusted here, or has ended.
    case certificate
    /// A request for something else than the tunnel's WebSocket, or no HTTP.
    case http
    /// What came first was no yamux.
    case `protocol`
    /// A link that did not say who it is.
    case noHello = "no_hello"
    /// It left before it had said what it wants: a look at the port.
    case left
}
