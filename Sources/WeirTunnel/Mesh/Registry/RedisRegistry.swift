internal import Foundation
internal import WeirWires
internal import WeirWorld

/// The registry of a mesh in a Redis server. What is in it can be lost: hubs put it there again.
package struct RedisRegistry: MeshRegistry {
    private let client: RedisClient
    /// Before all keys, in braces: they lie together in a cluster.
    private let prefix: String

    package init(_ client: RedisClient, prefix: String = "weir") {
        self.client = client
        self.prefix = "{\(prefix)}:"
    }

    private func ask(_ words: [String]) async throws(TunnelFailure) -> RESPValue {
        try await client.ask(words.map { Array($0.utf8) })
    }

    private static func unexpected(_ what: String) -> TunnelFailure {
        TunnelFailure("registry_refused", "The registry's answer to \(what) makes no sense: is it another program's?")
    }

    package func beat(_ beat: RegistryBeat) async throws(TunnelFailure) -> RegistryAnswer {
        var words = ["EVAL", RegistryScript.beat, "3", prefix + "hubs", prefix + "agents", prefix + "clock"]
        words += [
            beat.incarnation, beat.hub, beat.instance, beat.address, "\(beat.lease.nanoseconds / 1_000_000)",
            "\(beat.floor)", beat.known?.incarnation ?? "", beat.known.map { "\($0.number)" } ?? "",
            beat.isLeaving ? "1" : "0", "\(beat.releases.count)",
        ]
        words += beat.releases
        for claim in beat.claims {
            let connectors = (try? JSONEncoder().encode(claim.connectors)) ?? Data("[]".utf8)
            words += [
                claim.agent, claim.isOnlyIfFree ? "1" : "0", claim.process, String(decoding: connectors, as: UTF8.self),
            ]
        }
        guard let parts = try await ask(words).list, parts.count >= 4, let incarnation = parts[0].string,
            let version = parts[1].integer, let book = parts[2].integer
        else { throw Self.unexpected("a beat") }
        var answer = RegistryAnswer(
            version: RegistryVersion(incarnation: incarnation, number: UInt64(clamping: version)))
        answer.book = UInt64(clamping: book)
        answer.isNameTaken = parts[3].integer == 1
        if parts.count == 6 { answer.view = try Self.view(parts[4], parts[5]) }
        return answer
    }

    private struct KeptHub: Decodable {
        var instance: String
        var address: String
    }

    private struct KeptOwner: Decodable {
        var hub: String
        var instance: String
        var number: UInt64
        var process: String
        var connectors: String
    }

    private static func view(_ hubs: RESPValue, _ agents: RESPValue) throws(TunnelFailure) -> RegistryView {
        var view = RegistryView()
        do {
            for (name, text) in try fields(hubs) {
                let hub = try JSONDecoder().decode(KeptHub.self, from: Data(text))
                view.hubs[name] = .init(instance: hub.instance, address: hub.address)
            }
            for (name, text) in try fields(agents) {
                let owner = try JSONDecoder().decode(KeptOwner.self, from: Data(text))
                let connectors = try JSONDecoder().decode([String].self, from: Data(owner.connectors.utf8))
                view.agents[name] = .init(
                    hub: owner.hub, instance: owner.instance, number: owner.number, connectors: Set(connectors),
                    process: owner.process)
            }
        } catch {
            throw unexpected("a beat")
        }
        return view
    }

    private static func fields(_ value: RESPValue) throws(TunnelFailure) -> [String: [UInt8]] {
        guard let list = value.list, list.count.isMultiple(of: 2) else { throw unexpected("HGETALL") }
        var fields: [String: [UInt8]] = [:]
        for place in stride(from: 0, to: list.count, by: 2) {
            guard let name = list[place].string, case .text(let bytes) = list[place + 1] else {
                throw unexpected("HGETALL")
            }
            fields[name] = bytes
        }
        return fields
    }

    // MARK: The common book

    package func settle(_ name: String, _ record: [UInt8]) async throws(TunnelFailure) -> [UInt8] {
        let words = ["EVAL", RegistryScript.settle, "1", prefix + "settled", name].map { Array($0.utf8) }
        guard case .text(let bytes) = try await client.ask(words + [record]) else { throw Self.unexpected("HGET") }
        return bytes
    }

    package func record(_ id: String, in collection: String) async throws(TunnelFailure) -> [UInt8]? {
        if case .text(let bytes) = try await ask(["HGET", prefix + collection, id]) { bytes } else { nil }
    }

    package func spend(_ id: String, by hub: String) async throws(TunnelFailure) -> Bool {
        let words = ["EVAL", RegistryScript.settle, "1", prefix + "spent", id, hub]
        return try await ask(words).string == hub
    }

    package func records(in collection: String) async throws(TunnelFailure) -> [String: [UInt8]] {
        try Self.fields(try await ask(["HGETALL", prefix + collection]))
    }

    package func exchange(
        _ collection: String, _ id: String, from old: [UInt8]?, to new: [UInt8]?
    ) async throws(TunnelFailure) -> Bool {
        let words = ["EVAL", RegistryScript.exchange, "3", prefix + collection, prefix + "clock", prefix + "spent", id]
        return try await client.ask(words.map { Array($0.utf8) } + [old ?? [], new ?? []]).integer == 1
    }
}
