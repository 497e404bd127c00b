internal import WeirWorld

/// What a connection is held to beside credit: what a decision obliges to, and its connector's bandwidth.
package struct StreamLimits: Sendable {
    /// Then it is reset (`duration_limit`).
    package var durationMost: Duration?
    /// In both directions together; the byte after it resets the connection (`byte_limit`).
    package var bytesMost: Int64?
    /// All of them have to give leave.
    package var gates: [BandwidthGate] = []
    /// Among `gates`, the one of this connection alone, that its decision obliges to.
    package var own: BandwidthGate?

    package init() {}

    init(_ decision: OpenDecision, _ gate: BandwidthGate?) {
        durationMost = decision.durationMost
        bytesMost = decision.bytesMost
        own = decision.rate.map { BandwidthGate(rate: $0) }
        gates = [gate, own].compactMap(\.self)
    }
}
