internal import WeirFlow
internal import WeirWorld

/// What all connections of an HTTP source have in common.
struct HTTPShared: Sendable {
    let taking: HTTPTaking
    let streams: OpenStreams
    /// Bytes of bodies, unpacked.
    let budget: ByteBudget
    /// How long a request waits until its events are safe, once all are handed on.
    let settleWait: Duration
    let doors: [any HTTPDoor]
    let bodyMost: Int
    let headerTimeout: Duration
    let idleTimeout: Duration
    /// Bytes a second, over `bodyGrace`.
    let bodyRate: Double
    let bodyGrace: Duration

    var meter: SourceMeter { taking.meter }
    var world: World { taking.world }
    func door(for path: String) -> (any HTTPDoor)? { doors.first { $0.opens(path) } }
}
