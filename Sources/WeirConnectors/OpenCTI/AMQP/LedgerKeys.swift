internal import Foundation
package import WeirStore
internal import WeirWorld

/// The keys of connectors in the ledger, collection `connector_keys`; those in use also in memory, because a connector
/// makes a connection for each of its bundles.
package actor LedgerKeys: ConnectorKeys {
    private static let collection = "connector_keys"
    /// Keys in memory; when there are more, it starts again from nothing.
    private static let cachedMost = 100_000

    private let ledger: Ledger
    private var cache: [ConnectorID: ConnectorKey] = [:]
    /// Being written; whoever asks meanwhile writes the same again, so that its answer is durable too.
    private var making: Set<ConnectorID> = []
    /// Grows with each revocation: what was read before one must not be kept after it.
    private var revocations = 0

    package init(ledger: Ledger) { self.ledger = ledger }

    package func key(of id: ConnectorID) async -> ConnectorKey? { try? await known(id) }

    package func key(
        of id: ConnectorID, orKeep candidate: ConnectorKey
    ) async throws(ConnectorFailure) -> ConnectorKey {
        if let key = try await known(id), !making.contains(id) { return key }
        // Another registration may have come in while the ledger was read.
        let key = cache[id] ?? candidate
        cache[id] = key
        making.insert(id)
        defer { making.remove(id) }
        do throws(StoreFailure) {
            try await ledger.commit([
                .put {
                    LedgerDocument(
                        collection: LedgerKeys.collection, id: id, time: key.madeAt,
                        body: [UInt8](try JSONEncoder().encode(key)))
                }
            ])
            return key
        } catch {
            cache[id] = nil
            throw ConnectorFailure(error)
        }
    }

    package func revoke(_ id: ConnectorID) async throws(ConnectorFailure) {
        do throws(StoreFailure) {
            try await ledger.commit([.remove(collection: LedgerKeys.collection, id: id)])
        } catch {
            throw ConnectorFailure(error)
        }
        cache[id] = nil
        revocations += 1
    }

    private func known(_ id: ConnectorID) async throws(ConnectorFailure) -> ConnectorKey? {
        if let key = cache[id] { return key }
        let document: LedgerDocument?
        let revocationsBefore = revocations
        do throws(StoreFailure) {
            document = try await ledger.document(LedgerKeys.collection, id)
        } catch {
            throw ConnectorFailure(error)
        }
        guard let document else { return nil }
        guard
            let key = try? document.body.withUnsafeBytes({ try JSONDecoder().decode(ConnectorKey.self, from: Data($0)) }
            )
        else { throw ConnectorFailure(.storage, "The key of connector \(id) cannot be read; revoke it.") }
        if cache.count >= LedgerKeys.cachedMost { cache.removeAll() }
        if revocations == revocationsBefore { cache[id] = key }
        return key
    }
}
