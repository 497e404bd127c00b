/// Why a stream was reset: travels in the length of the reset frame (yamux leaves that field free, so peers that know
/// no reasons ignore it), and is the `reason` label of `weir_tunnel_stream_ends_total`.
package enum StreamReason: UInt32, Sendable, Hashable, CaseIterable {
    /// The peer gave none: any other yamux.
    case unspecified = 0
    /// The socket on the other side was reset; so must ours be.
    case socketReset = 1
    case refused = 2
    case unreachable = 3
    case connectTimeout = 4
    case notAllowed = 5
    case busy = 6
    case idle = 7
    /// One direction was finished and the other neither sent nor ended for the finish wait.
    case finishWait = 8
    /// The peer sent more than it was granted, or finished twice.
    case protocolMistake = 9
    case draining = 10
    case sessionLost = 11
    case writeFailed = 12
    case durationLimit = 13
    case byteLimit = 14
    case denied = 15
    /// A person has ended it.
    case ordered = 16
    /// The hub that was asked does not have the agent, or not under that epoch.
    case staleOwner = 17

    /// As metrics and people read it.
    package var name: String {
        switch self {
        case .unspecified: "unspecified"
        case .socketReset: "socket_reset"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .connectTimeout: "connect_timeout"
        case .notAllowed: "not_allowed"
        case .busy: "busy"
        case .idle: "idle_timeout"
        case .finishWait: "finish_wait"
        case .protocolMistake: "protocol_error"
        case .draining: "drain"
        case .sessionLost: "session_lost"
        case .writeFailed: "write_failed"
        case .durationLimit: "duration_limit"
        case .byteLimit: "byte_limit"
        case .denied: "denied"
        case .ordered: "ordered"
        case .staleOwner: "stale_owner"
        }
    }
}
