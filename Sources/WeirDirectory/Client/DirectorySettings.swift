/// How one directory is reached, and how gently.
package struct DirectorySettings: Sendable {
    package enum Security: String, Sendable, CaseIterable {
        /// TLS from the first byte: `ldaps://`.
        case tls
        /// TLS asked for on a plain connection (RFC 4511 section 4.14), before anything else is said.
        case startTLS = "start_tls"
        case none
    }

    /// Hands over a connected stream socket that becomes ours: how a silo runs over a tunnel. Verification of the
    /// server's certificate goes by the host of `address` all the same.
    package typealias Connect = @Sendable () async throws -> Int32

    package var address: DirectoryAddress
    package var security: Security
    /// Nil with `password` nil: anonymous.
    package var bindName: String?
    package var password: String?
    /// PEM. Nil: the machine's.
    package var caFile: String?
    /// Allows a password in the clear over the network. A password to a loopback address needs no such permission,
    /// unless it goes through `connect`: then it leaves the machine at the far end.
    package var allowPlaintext = false
    package var connect: Connect?
    /// For a connection, TLS and the bind, each.
    package var connectLimit: Duration = .seconds(10)
    /// For one request and its answer.
    package var requestLimit: Duration = .seconds(60)
    /// Connections at most.
    package var poolSize = 5
    /// A connection unused for so long is closed: AD closes them after 15 minutes.
    package var idleLimit: Duration = .seconds(600)
    /// A connection unused for so long is asked for its root entry before it is trusted with a request.
    package var keepaliveAfter: Duration = .seconds(60)
    /// Requests out at once on one connection; slapd closes connections that have more than 1,000 waiting.
    package var window = 16
    /// Of one answer, in bytes.
    package var answerLimit = 256 << 20
    /// How often one operation is tried when the server is busy or the connection goes.
    package var attempts = 6
    /// Waits between them, growing from the first to the last.
    package var retryFirst: Duration = .milliseconds(200)
    package var retryMost: Duration = .seconds(10)

    package init(address: DirectoryAddress, security: Security? = nil) {
        self.address = address
        self.security = security ?? (address.isTLS ? .tls : .none)
    }

    /// What is refused before anything is sent.
    package func check() throws(DirectoryFailure) {
        if (security == .tls) != address.isTLS {
            throw .misuse(
                code: "security_mismatch", text: "\(address) and security \(security.rawValue) do not go together")
        }
        guard let bindName, !bindName.isEmpty else {
            guard password == nil || password == "" else {
                throw .misuse(code: "password_without_name", text: "a password, and nobody whose it is")
            }
            return
        }
        // RFC 4513 section 5.1.2: a name with an empty password is an unauthenticated bind, which servers answer with
        // success. A secret that was read as empty must not look like a login.
        guard let password, !password.isEmpty else {
            throw .misuse(code: "empty_password", text: "the password for \(bindName) is empty")
        }
        if security == .none, !allowPlaintext, !address.isLoopback || connect != nil {
            throw .misuse(
                code: "plaintext_refused",
                text: "the password of \(bindName) would go to \(address) in the clear: use ldaps:// or start_tls")
        }
    }
}
