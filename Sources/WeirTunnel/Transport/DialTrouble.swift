internal import NIOSSL
internal import WeirCalls
internal import WeirGates

/// What keeps an agent from its hub, in words: who did what, and what to do about it.
struct DialTrouble {
    /// What the agent has shown of itself, or would.
    enum Proof: Hashable {
        case certificate, token, bearer, nothing
    }

    var hub: HubAddress
    var proxy: ProxyChoice?
    var proof: Proof

    /// - Parameter error: of the connection, of TLS, or of the steps after it.
    /// - Parameter isSafe: true once TLS stands.
    func failure(_ error: any Error, isSafe: Bool = false) -> TunnelFailure {
        if let failure = error as? TunnelFailure { return failure }
        let peer = proxy.map { "the proxy \($0.host):\($0.port)" } ?? "\(hub)"
        let text = "\(error)"
        // Through a proxy, TLS is with the hub.
        let isTLS = error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
        let reason = NetworkReason.of(error, peer: isTLS ? "\(hub)" : peer)
        let sentence = reason.sentence.hasPrefix("the ") ? "T" + reason.sentence.dropFirst() : reason.sentence
        return switch reason.code {
        case "dns_failed":
            TunnelFailure("dns_failed", sentence, help: "Look at the name in \(option) and at this machine's DNS.")
        case "connect_refused":
            TunnelFailure(
                "connect_refused", sentence,
                help: proxy == nil
                    ? "Is the hub running, is the port right, and is its `tunnel.listen` an address that this machine "
                        + "can reach?" : "Is the proxy running, and is its port right?")
        case "connect_timeout", "connect_failed":
            TunnelFailure(
                reason.code, sentence,
                help:
                    "Look at \(option), at the way there and at firewalls on it; out of this network may lead a proxy "
                    + "only (--proxy, --env-proxy).")
        case "tls_failed": TunnelFailure("tls_failed", sentence, help: advice(text))
        case "connection_closed" where !isSafe:
            TunnelFailure(
                "connection_closed", sentence,
                help: proof == .certificate
                    ? "Perhaps the hub does not accept this agent's certificate: is it of the authorities in "
                        + "`tunnel.tls.client_ca`, or of this very hub?"
                    : "Is it a hub that listens there, and does a box on the way let TLS through?")
        default: TunnelFailure(reason.code, sentence)
        }
    }

    /// Of a certificate of the agent's that the hub's TLS does not take.
    private static let certificateAdvice =
        "The hub does not accept the certificate that is shown: has it ended, and is it of the authorities in "
        + "`tunnel.tls.client_ca` of the hub, or of this very hub? Without --cert, enrol anew with a token."

    /// With TLS 1.3 a client hears only after its handshake that its certificate is none: the link stood for a moment.
    static func advice(on end: LinkEnd) -> String? {
        if case .failed(let text) = end, text.contains(refused) { certificateAdvice } else { nil }
    }

    /// In the words of `NetworkReason`.
    private static let refused = "it does not accept our certificate"

    private var option: String { proxy == nil ? "--hub" : "--proxy" }

    /// What to do about TLS that did not come to stand; by the words of the library.
    private func advice(_ text: String) -> String {
        if text.contains("failedToValidateHostname") {
            return
                "Call the hub by a name that is in its certificate, or add `\(hub.host)` to `tunnel.names` of the hub "
                + "and start it again."
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return switch proof {
            case .token, .certificate:
                "The token or certificate here is of another hub, or something on the way shows a certificate of its "
                    + "own. Make a token on this very hub, or name the authority with --ca-file."
            case .bearer, .nothing:
                "Name the authority of the hub's certificate with --ca-file (`weir tunnel ca` on the hub prints it), "
                    + "or enrol with a token of the hub (--token-file), which brings it."
            }
        }
        if text.contains("ALERT") {
            return Self.certificateAdvice
        }
        return "Look at the port in --hub: agents come in at `tunnel.listen`. With `plain: true` the hub has no TLS; a "
            + "proxy before it brings it."
    }
}
