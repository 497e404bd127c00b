import Glibc
import NIOCore
import NIOPosix
package import NIOSSL
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
        // It ended TCP without ending TLS first, as a process does that is killed.
        case NIOSSLError.uncleanShutdown: return Reason("connection_closed", "\(peer) closed the connection.")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return Reason("tls_failed", "TLS with \(peer) failed: \(tlsText(error)).")
        case is SocketAddressError: return Reason("dns_failed", "The name of \(peer) cannot be looked up.")
        default: return Reason("connect_failed", "The connection to \(peer) failed.")
        }
    }

    /// With what the peer showed of itself, which says more about a certificate that was not verified.
    /// - Parameter seconds: now, since 1970.
    package static func of(
        _ error: any Error, peer: String, shown certificate: NIOSSLCertificate?, atSeconds seconds: Int
    ) -> Reason {
        guard let certificate, "\(error)".contains(unverified) else { return of(error, peer: peer) }
        if certificate.notValidAfter < seconds {
            return Reason("tls_failed", "TLS with \(peer) failed: its certificate has expired.")
        }
        if certificate.notValidBefore > seconds {
            return Reason("tls_failed", "TLS with \(peer) failed: its certificate is not valid yet.")
        }
        return of(error, peer: peer)
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

    private static let unverified = "CERTIFICATE_VERIFY_FAILED"

    /// What stands in the library's words, and what it means.
    private static let tlsTexts = [
        (unverified, "its certificate cannot be verified"),
        ("failedToValidateHostname", "its certificate is for another name"),
        ("CERTIFICATE_REQUIRED", "it wants a client certificate"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "it shows no certificate"),
        // Of what we have shown: unknown authority, expired, revoked, malformed.
        ("ALERT_UNKNOWN_CA", "it does not accept our certificate"),
        ("ALERT_CERTIFICATE", "it does not accept our certificate"),
        ("ALERT_BAD_CERTIFICATE", "it does not accept our certificate"),
        ("ALERT_HANDSHAKE_FAILURE", "it refused the handshake; it may want a client certificate"),
        ("ALERT_PROTOCOL_VERSION", "it speaks no version of TLS that is accepted here"),
        ("WRONG_VERSION_NUMBER", "it speaks no TLS"),
        ("HTTP_REQUEST", "it speaks no TLS"),
        // With TLS 1.3 an alert that comes in the clear is no record that could be read.
        ("BAD_PACKET_LENGTH", "it broke off; perhaps it does not trust our certificate"),
        ("EOF during handshake", "it broke off; perhaps it speaks no TLS there"),
    ]

    // The library's words hold no secrets, but are long.
    private static func tlsText(_ error: any Error) -> String {
        let text = "\(error)"
        return tlsTexts.first { text.contains($0.0) }?.1 ?? String(text.prefix(160))
    }
}
