internal import NIOCore
internal import WeirFlow
internal import WeirWorld

/// What all connections of one source have in common.
struct StreamShared: Sendable {
    /// Hand over at once from here on: smaller batches cost more per event than they save in time.
    static let handOverAt = 128 * 1_024
    /// Longest wait of a whole event for company.
    static let handOverAfter = Duration.milliseconds(2)
    /// Read no more while a batch is under way and this much waits behind it.
    static let gatherMost = 256 * 1_024
    /// Most that is copied in front of a read; more is appended the other way round.
    static let headroomMost = 64 * 1_024
    /// Longest frame header.
    static let headerMost = 16
    /// Longest event while the source holds more than its budget.
    static let partialMostWhenShort = 64 * 1_024

    let handing: Handing
    let streams: OpenStreams
    let budget: ByteBudget
    /// Largest event, bytes.
    let eventMost: Int
    let idleTimeout: Duration?

    var meter: SourceMeter { handing.meter }
    var world: World { handing.world }

    /// Counts why a connection broke; said nowhere else, a broken connection is daily life.
    func note(_ error: any Error) {
        switch error {
        case is IOError: meter.refused("connection_reset")
        case ChannelError.eof: break
        default: meter.refused("tls_failed")
        }
    }
}
