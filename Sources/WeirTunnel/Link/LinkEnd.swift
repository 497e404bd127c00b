/// Why a link ended.
package enum LinkEnd: Error, Sendable, Hashable, CustomStringConvertible {
    /// The other side closed it.
    case closed
    /// All streams had ended after a drain.
    case drained
    /// Nothing came for the ping timeout.
    case silent
    /// What came was no yamux; the sentence says what.
    case mistake(String)
    case failed(String)
    /// The same agent has come back as another process: this link's end is dead, or soon will be.
    case replaced
    /// By order: a revoked certificate, the end of the process.
    case ordered(String)

    /// As metrics and people read it: from a small set.
    package var name: String {
        switch self {
        case .closed: "closed"
        case .drained: "drain"
        case .silent: "dead_peer"
        case .mistake: "protocol"
        case .failed: "failed"
        case .replaced: "replaced"
        case .ordered: "ordered"
        }
    }

    /// All that `name` can say.
    package static let names = ["closed", "drain", "dead_peer", "protocol", "failed", "replaced", "ordered"]

    var isMistake: Bool { if case .mistake = self { true } else { false } }

    package var description: String {
        switch self {
        case .closed: "the other side closed it"
        case .drained: "drained"
        case .replaced: "the same agent has come back as another process"
        case .silent: "the other side did not answer a ping"
        case .mistake(let text), .failed(let text), .ordered(let text): text
        }
    }
}
