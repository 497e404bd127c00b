internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import SwiftASN1
internal import X509

/// Verifies that a hub's certificate is for the address that is dialled, where TLS cannot: it compares with the
/// channel's own peer, and through a proxy that is the proxy. The chain was verified before.
final class AddressVerifying: ChannelInboundHandler {
    typealias InboundIn = Any

    private let address: AddressBits

    init(_ address: AddressBits) { self.address = address }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        if isProven(context) {
            context.fireUserInboundEventTriggered(event)
        } else {
            context.fireErrorCaught(
                TunnelFailure("certificate_name", "The certificate that was shown is not for \(address)."))
        }
    }

    private func isProven(_ context: ChannelHandlerContext) -> Bool {
        guard let shown = try? context.pipeline.syncOperations.nioSSL_peerCertificate(),
            let der = try? shown.toDERBytes(), let certificate = try? Certificate(derEncoded: der),
            let names = try? certificate.extensions.subjectAlternativeNames
        else { return false }
        return names.contains { name in
            if case .ipAddress(let octets) = name { Array(octets.bytes) == address.bytes } else { false }
        }
    }
}
