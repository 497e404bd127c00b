import WeirCalls
import WeirFlow
import WeirGates

/// The one table of the stream family (tcp, syslog over tcp): what happens next.
///
/// | what | failure |
/// | --- | --- |
/// | all that `NetworkReason` lists, and `write_timeout` | unreachable: `open` makes a new connection |
/// | our own certificate files cannot be read (`tls_files`) | misconfigured |
///
/// A certificate of the receiver that does not verify is no `misconfigured`: its owner renews it, and then it goes on
/// by itself.
enum StreamFailure {
    static func connecting(_ error: any Error, to peer: String, end: Reason?) -> DeliveryFailure {
        if error is CancellationError || Task.isCancelled { return .cancelled }
        return .unreachable(end ?? NetworkReason.of(error, peer: peer))
    }

    static func broken(_ error: any Error, peer: String) -> Reason { NetworkReason.of(error, peer: peer) }

    static func tlsFiles(_ error: any Error) -> DeliveryFailure {
        if let failure = error as? TLSFileFailure {
            return .misconfigured(Reason("tls_files", failure.sentence + "."))
        }
        return .misconfigured(Reason("tls_files", "The TLS settings cannot be used."))
    }
}
