import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import WeirFlow
import WeirGates

/// The one table of the stream family (tcp, syslog over tcp): what connecting and writing can say, and what happens next.
///
/// | what | failure | code |
/// | --- | --- | --- |
/// | refused | unreachable | `connect_refused` |
/// | no answer in time | unreachable | `connect_timeout` |
/// | the name is not known | unreachable | `dns_failed` |
/// | certificate not trusted, expired, another name; handshake refused | unreachable | `tls_failed` |
/// | reset, broken pipe | unreachable | `connection_reset` |
/// | the peer closed | unreachable | `connection_closed` |
/// | the socket takes nothing | unreachable | `write_timeout` |
/// | our own certificate files cannot be read | misconfigured | `tls_files` |
///
/// A certificate that does not verify is no `misconfigured`: the receiver's owner renews it, and then it goes on by itself.
enum StreamFailure {
    static func connecting(_ error: any Error, to peer: String, end: Reason?) -> DeliveryFailure {
        if error is CancellationError || Task.isCancelled { return .cancelled }
        return .unreachable(end ?? reason(error, peer: peer))
    }

    static func broken(_ error: any Error, peer: String) -> Reason { reason(error, peer: peer) }

    static func tlsFiles(_ error: any Error) -> DeliveryFailure {
        if let failure = error as? TLSFileFailure {
            return .misconfigured(Reason("tls_files", failure.sentence + "."))
        }
        return .misconfigured(Reason("tls_files", "The TLS settings cannot be used."))
    }

    private static func reason(_ error: any Error, peer: String) -> Reason {
        switch error {
        case let error as NIOConnectionError:
            if let single = error.connectionErrors.first { return reason(single.error, peer: peer) }
            return Reason("dns_failed", "The name of \(peer) cannot be looked up.")
        case let error as IOError: return reason(errno: error.errnoCode, peer: peer)
        case ChannelError.connectTimeout: return Reason("connect_timeout", "\(peer) did not answer in time.")
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof, ChannelError.outputClosed:
            return Reason("connection_closed", "\(peer) closed the connection.")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return Reason("tls_failed", "TLS with \(peer) failed: \(tlsText(error)).")
        case is SocketAddressError: return Reason("dns_failed", "The name of \(peer) cannot be looked up.")
        default: return Reason("connect_failed", "The connection to \(peer) failed.")
        }
    }

    private static func reason(errno code: CInt, peer: String) -> Reason {
        switch code {
        case ECONNREFUSED: Reason("connect_refused", "\(peer) refuses connections.")
        case ETIMEDOUT: Reason("connect_timeout", "\(peer) did not answer in time.")
        case ECONNRESET, EPIPE: Reason("connection_reset", "\(peer) reset the connection.")
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN: Reason("connect_failed", "There is no way to \(peer).")
        case EMFILE, ENFILE: Reason("too_many_open_files", "There is no free file descriptor for a connection to \(peer).")
        default: Reason("connect_failed", "The connection to \(peer) failed (errno \(code)).")
        }
    }

    // The library's words, cut to what helps: they hold no secrets, but are long.
    private static func tlsText(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") { return "its certificate cannot be verified" }
        if text.contains("unableToValidateCertificate") { return "its certificate is for another name" }
        if text.contains("CERTIFICATE_REQUIRED") { return "it wants a client certificate" }
        return String(text.prefix(160))
    }
}
