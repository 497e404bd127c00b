import CLdap
import Glibc
import WeirWorld

/// One `LDAP *`, over a socket of ours. Every call is made on the one thread of its connection: libldap's handles may
/// be shared, but `ldap_result` holds the connection's lock while it waits and stops everybody else.
///
/// libldap would connect again by itself, without TLS and without a bind, when a handle is used after its connection
/// went. So nothing is sent on a handle after it said -1.
final class LDAPHandle {
    let pointer: OpaquePointer
    let descriptor: Int32

    /// libldap compares a certificate with the machine's own name where the address says `localhost`.
    ///
    /// Takes the socket over, whatever comes of it, and does TLS on it. Blocks for at most twice `limit`.
    init(descriptor: Int32, _ settings: DirectorySettings) throws(DirectoryFailure) {
        Self.blockBrokenPipes()
        var made: OpaquePointer?
        let url = settings.address.description
        let code = ldap_init_fd(descriptor, LDAP_PROTO_TCP, url, &made)
        guard code == LDAP_SUCCESS, let made else {
            close(descriptor)
            throw .unreachable(code: "ldap_\(code)", text: "\(url): \(Self.words(code))")
        }
        pointer = made
        self.descriptor = descriptor
        Self.setDefaults(made, settings.connectLimit)
        setBlocking(true)
        // Thrown from here on, the end of this object closes the socket.
        guard settings.security != .none else { return }
        if let problem = Self.beginTLS(made, settings) { throw problem }
    }

    deinit { ldap_unbind_ext(pointer, nil, nil) }

    /// libldap writes with `write(2)`: when the server has gone that raises SIGPIPE on the thread of this handle, and
    /// would end the process where nobody ignores it. Blocked, the write answers EPIPE.
    private static func blockBrokenPipes() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// From here on nothing blocks: what cannot be sent at once libldap keeps, and sends when asked for results.
    func stopBlocking() { setBlocking(false) }

    private func setBlocking(_ isBlocking: Bool) {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK)
    }

    /// What /etc/ldap/ldap.conf or the environment may have set otherwise.
    private static func setDefaults(_ handle: OpaquePointer, _ limit: Duration) {
        var version = LDAP_VERSION3
        ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version)
        // LDAP_OPT_OFF is the null pointer: a referral is an answer, never a journey.
        ldap_set_option(handle, LDAP_OPT_REFERRALS, nil)
        var none: Int32 = 0
        ldap_set_option(handle, LDAP_OPT_DEREF, &none)
        ldap_set_option(handle, LDAP_OPT_SIZELIMIT, &none)
        ldap_set_option(handle, LDAP_OPT_TIMELIMIT, &none)
        var wait = timeval(
            tv_sec: Int(limit.nanoseconds / 1_000_000_000), tv_usec: Int(limit.nanoseconds % 1_000_000_000 / 1_000))
        ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &wait)
        ldap_set_option(handle, LDAP_OPT_TIMEOUT, &wait)
    }

    private static let machineAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    private static func beginTLS(_ handle: OpaquePointer, _ settings: DirectorySettings) -> DirectoryFailure? {
        var demand = LDAP_OPT_X_TLS_DEMAND
        ldap_set_option(handle, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand)
        var oldest: Int32 = 0x0303  // TLS 1.2
        ldap_set_option(handle, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest)
        let authorities = settings.caFile ?? machineAuthorities
        guard access(authorities, R_OK) == 0 else {
            return .misuse(code: "ca_file", text: "\(authorities): \(String(cString: strerror(errno)))")
        }
        ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, authorities)
        // Last: it makes the context out of what was set before.
        var server: Int32 = 0
        guard ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &server) == LDAP_SUCCESS else {
            return .misuse(code: "ca_file", text: "\(authorities) holds no certificates that can be read")
        }
        let code =
            settings.security == .tls ? ldap_install_tls(handle) : ldap_start_tls_s(handle, nil, nil)
        guard code != LDAP_SUCCESS else { return nil }
        // GnuTLS gives libldap no words for most of what can be wrong with a certificate.
        let text =
            "\(settings.address): no TLS (\(Self.words(code))): the certificate must be for \(settings.address.host), "
            + "valid now, and of an authority in \(authorities)"
        return .unreachable(code: "tls_failed", text: text)
    }

    static func words(_ code: Int32) -> String { String(cString: ldap_err2string(code)) }
}
