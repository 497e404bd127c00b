internal import Crypto
internal import Foundation

/// Closes what hubs share in a registry, with a secret that only they have: who reads the registry learns nothing of
/// agents, and who writes to it can invent none.
///
/// AES-256-GCM; the key by HKDF-SHA256 from the secret; the place of a record is sealed with it, so that none can be
/// put in another's.
package struct MeshSeal: Sendable {
    private let key: SymmetricKey

    package init(secret: String) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(secret.utf8)), info: Data("weir mesh 1".utf8),
            outputByteCount: 32)
    }

    func close(_ bytes: some DataProtocol, at place: String) throws(TunnelFailure) -> [UInt8] {
        do {
            let box = try AES.GCM.seal(bytes, using: key, authenticating: Data(place.utf8))
            return [UInt8](box.combined ?? Data())
        } catch {
            throw TunnelFailure("seal", "A record for the registry could not be sealed: \(error).")
        }
    }

    /// - Throws: `seal`: another secret, or somebody has touched it.
    func open(_ bytes: [UInt8], at place: String) throws(TunnelFailure) -> Data {
        do {
            return try AES.GCM.open(AES.GCM.SealedBox(combined: bytes), using: key, authenticating: Data(place.utf8))
        } catch {
            throw TunnelFailure(
                "seal", "A record in the registry was not sealed with this hub's `tunnel.mesh.secret`.",
                help: "All hubs of a mesh need the same secret; another mesh needs another `tunnel.mesh.prefix`.")
        }
    }
}
