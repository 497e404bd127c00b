internal import Foundation
internal import Synchronization
package import WeirWorld

/// What the hubs of a mesh know of agents together: each keeps all of it in its own ledger, and a registry between them
/// carries it, sealed. A registry that was lost gets it back from the hubs.
package final class SharedBook: Sendable {
    let registry: any MeshRegistry
    private let seal: MeshSeal
    private let hub: String
    private let time: any TimeSource
    private let state = Mutex(State())

    private struct State {
        /// What was read last; `nil`: everything is to be read and written anew.
        var seen: (incarnation: String, book: UInt64)?
        var incarnation: String?
        /// No token is spent before: others may have to say that it was.
        var settles: Moment?
        var isBehind = false
    }

    /// How long a registry that has lost everything is given to learn again what was spent.
    static let settling = Duration.seconds(5)

    /// - Parameter hub: by whom tokens are spent.
    package init(registry: any MeshRegistry, secret: String, hub: String, time: any TimeSource) {
        self.registry = registry
        seal = MeshSeal(secret: secret)
        self.hub = hub
        self.time = time
    }

    // MARK: The authority

    private struct KeptAuthority: Codable {
        var certificate: String
        var key: String
    }

    /// The authority of the mesh: the one that is in the registry, or ours when there is none.
    /// - Parameter isNew: it was made just now. Then hubs that have one come first: they are given time to bring theirs
    ///   back to a registry that was lost.
    func settle(_ own: CertificateAuthority, isNew: Bool) async throws(TunnelFailure) -> CertificateAuthority {
        if isNew, try await registry.record("authority", in: "settled") == nil {
            try? await time.sleep(for: .seconds(3))
        }
        let kept = KeptAuthority(certificate: own.certificatePEM, key: own.keyPEM)
        let text = (try? JSONEncoder().encode(kept)) ?? Data()
        let found = try await registry.settle("authority", try seal.close(text, at: "authority"))
        let opened = try seal.open(found, at: "authority")
        guard let shared = try? JSONDecoder().decode(KeptAuthority.self, from: opened) else {
            throw TunnelFailure("registry_refused", "The authority in the registry cannot be read.")
        }
        return try CertificateAuthority(certificatePEM: shared.certificate, keyPEM: shared.key)
    }

    // MARK: Tokens

    /// Spends a token, once over all hubs.
    func spend(_ id: String) async throws(TunnelFailure) {
        guard state.withLock({ state in state.settles.map { time.now >= $0 } ?? true }) else {
            throw TunnelFailure("registry_settling", "The registry was lost; the hubs are filling it again.")
        }
        guard try await registry.spend(id, by: hub) else {
            throw TunnelFailure(
                EnrolmentBook.Refusal.tokenUsed.rawValue, EnrolmentBook.Refusal.tokenUsed.sentence)
        }
    }

    // MARK: The book

    /// What is to be read, when the registry has something that we have not seen, or something of ours is missing.
    /// - Returns: false when all is as it was.
    func isBehind(_ answer: RegistryAnswer) -> Bool {
        state.withLock { state in
            if let before = state.incarnation, before != answer.version.incarnation {
                state.settles = time.now + Self.settling
            }
            state.incarnation = answer.version.incarnation
            guard !state.isBehind, let seen = state.seen else { return true }
            return seen != (answer.version.incarnation, answer.book)
        }
    }

    func hasSeen(_ answer: RegistryAnswer) {
        state.withLock { state in
            state.seen = (answer.version.incarnation, answer.book)
            state.isBehind = false
        }
    }

    /// Something could not be written: everything is compared with the next beat.
    func fallBehind() { state.withLock { $0.isBehind = true } }

    func read<Record: Decodable>(_ collection: String) async throws(TunnelFailure) -> [String: Record] {
        var records: [String: Record] = [:]
        for (id, sealed) in try await registry.records(in: collection) {
            let text = try seal.open(sealed, at: "\(collection)/\(id)")
            records[id] = try? JSONDecoder().decode(Record.self, from: text)
        }
        return records
    }

    /// Writes a record together with what others have written of it.
    /// - Returns: what is in the registry now.
    @discardableResult
    func write<Record: Codable & Equatable & Sendable>(
        _ record: Record, _ collection: String, _ id: String, merging: (Record, Record) -> Record
    ) async throws(TunnelFailure) -> Record {
        let place = "\(collection)/\(id)"
        for _ in 0..<20 {
            let sealed = try await registry.record(id, in: collection)
            var wanted = record
            if let sealed {
                let text = try seal.open(sealed, at: place)
                if let there = try? JSONDecoder().decode(Record.self, from: text) {
                    wanted = merging(record, there)
                    if wanted == there { return there }
                }
            }
            let text = (try? JSONEncoder().encode(wanted)) ?? Data()
            let closed = try seal.close(text, at: place)
            if try await registry.exchange(collection, id, from: sealed, to: closed) { return wanted }
        }
        throw TunnelFailure("registry_busy", "`\(place)` changes faster than it can be written.")
    }

    func remove(_ collection: String, _ id: String) async throws(TunnelFailure) {
        guard let sealed = try await registry.record(id, in: collection) else { return }
        _ = try await registry.exchange(collection, id, from: sealed, to: nil)
    }
}
