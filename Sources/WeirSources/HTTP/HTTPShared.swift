internal import WeirFlow
internal import WeirWorld

/// What all connections of an HTTP source have in common.
struct HTTPShared: Sendable {
    let meter: SourceMeter
    let world: World
    let streams: OpenStreams
    /// Bytes of bodies, unpacked.
    let budget: ByteBudget
    let doors: [any HTTPDoor]
    let bodyMost: Int
    let headerTimeout: Duration
    let idleTimeout: Duration
    /// Bytes a second, over `bodyGrace`.
    let bodyRate: Double
    let bodyGrace: Duration

    func door(for path: String) -> (any HTTPDoor)? { doors.first { $0.opens(path) } }
}
