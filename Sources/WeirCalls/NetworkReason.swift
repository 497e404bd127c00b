import Glibc
import NIOCore
import NIOPosix
import NIOSSL
package import WeirGates

/// What connecting and writing can say.
///
/// | what | code |
/// | --- | --- |
/// | refused | `connect_refused` |
/// | no answer in time | `connect_timeout` |
/// | the name is not known | `dns_failed` |
/// | certificate not trusted, expired, another name; handshake refused | `tls_failed` |
/// | reset, broken pipe | `connection_reset` |
/// | the peer closed | `connection_closed` |
/// | no way there, and all else | `connect_failed` |
/// | no file descriptor left here | `too_many_open_files` |
package enum NetworkReason {
    package static func of(_ error: any Error, peer: String) -> Reason {
        switch error {
        case let error as NIOConnectionError:
            if let single = error.connectionErrors.first { return of(single.error, peer: peer) }
            return Reason("dns_failed", "The name of \(peer) cannot be looked up.")
        case let error as IOError: return of(errno: error.errnoCode, peer: peer)
        case ChannelError.connectTimeout: return Reason("connect_timeout", "\(peer) did not answer in time.")
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof, ChannelError.outputClosed:
            return Reason("connection_closed", "\(peer) closed the connection.")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return Reason("tls_failed", "TLS with \(peer) failed: \(tlsText(error)).")
        case is SocketAddressError: return Reason("dns_failed", "The name of \(peer) cannot be looked up.")
        default: return Reason("connect_failed", "The connection to \(peer) failed.")
        }
    }

    private static func of(errno code: CInt, peer: String) -> Reason {
        switch code {
        case ECONNREFUSED: Reason("connect_refused", "\(peer) refuses connections.")
        case ETIMEDOUT: Reason("connect_timeout", "\(peer) did not answer in time.")
        case ECONNRESET, EPIPE: Reason("connection_reset", "\(peer) reset the connection.")
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN: Reason("connect_failed", "There is no way to \(peer).")
        case EMFILE, ENFILE:
            Reason("too_many_open_files", "There is no free file descriptor for a connection to \(peer).")
        default: Reason("connect_failed", "The connection to \(peer) failed (errno \(code)).")
        }
    }

    // The library's words, cut to what helps: they hold no secrets, but are long.
    private static func tlsText(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") { return "its certificate cannot be verified" }
        if text.contains("nableToValidateCertificate") { return "its certificate is for another name" }
        if text.contains("CERTIFICATE_REQUIRED") { return "it wants a client certificate" }
        return String(text.prefix(160))
    }
}
