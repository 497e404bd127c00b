import Synchronization
import WeirWorld

@testable import WeirTunnel

/// A registry as a value with a clock of its own: what `RegistryScript` does, told once more in Swift.
struct RegistryModel: Sendable {
    private struct Hub: Sendable {
        var instance: String
        var address: String
        var lapses: Moment
    }

    private var hubs: [String: Hub] = [:]
    private(set) var agents: [String: RegistryView.Owner] = [:]
    private var incarnation: String?
    private var epoch: UInt64 = 0
    private var version: UInt64 = 0
    private(set) var book: UInt64 = 0
    var fields: [String: [String: [UInt8]]] = [:]
    var spent: [String: String] = [:]

    mutating func take(_ beat: RegistryBeat, at now: Moment) -> RegistryAnswer {
        let incarnation = incarnation ?? beat.incarnation
        self.incarnation = incarnation
        epoch = max(epoch, beat.floor)
        var answer = RegistryAnswer(version: RegistryVersion(incarnation: incarnation, number: version))
        if let known = hubs[beat.hub], known.instance != beat.instance, known.lapses > now {
            answer.isNameTaken = true
            return answer
        }
        var isChanged = false
        for (name, hub) in hubs where hub.lapses <= now || (beat.isLeaving && name == beat.hub) {
            hubs[name] = nil
            agents = agents.filter { $0.value.hub != name || $0.value.instance != hub.instance }
            isChanged = true
        }
        if !beat.isLeaving {
            if hubs[beat.hub]?.address != beat.address { isChanged = true }
            hubs[beat.hub] = Hub(instance: beat.instance, address: beat.address, lapses: now + beat.lease)
            for agent in beat.releases where isOf(beat, agent) {
                agents[agent] = nil
                isChanged = true
            }
            for claim in beat.claims {
                let isOurs = isOf(beat, claim.agent)
                guard isOurs || agents[claim.agent] == nil || !claim.isOnlyIfFree else { continue }
                if !isOurs { epoch += 1 }
                let owner = RegistryView.Owner(
                    hub: beat.hub, instance: beat.instance,
                    number: isOurs ? agents[claim.agent]?.number ?? epoch : epoch, connectors: Set(claim.connectors),
                    process: claim.process)
                if agents[claim.agent] != owner { isChanged = true }
                agents[claim.agent] = owner
            }
        }
        if isChanged { version += 1 }
        answer.version.number = version
        answer.book = book
        if beat.known != answer.version {
            var view = RegistryView()
            view.hubs = hubs.mapValues { .init(instance: $0.instance, address: $0.address) }
            view.agents = agents
            answer.view = view
        }
        return answer
    }

    private func isOf(_ beat: RegistryBeat, _ agent: String) -> Bool {
        agents[agent].map { $0.hub == beat.hub && $0.instance == beat.instance } ?? false
    }

    mutating func exchange(_ collection: String, _ id: String, from old: [UInt8]?, to new: [UInt8]?) -> Bool {
        guard fields[collection]?[id] == old else { return false }
        fields[collection, default: [:]][id] = new
        if new == nil { spent[id] = nil }
        book += 1
        return true
    }
}

/// The registry of hubs in this process.
final class ModelRegistry: MeshRegistry {
    let model = Mutex(RegistryModel())
    let isDown = Mutex(false)
    private let time: any TimeSource

    init(_ time: any TimeSource) { self.time = time }

    func lose() { model.withLock { $0 = RegistryModel() } }

    private func change<Value: Sendable>(
        _ body: (inout RegistryModel) -> Value
    ) throws(TunnelFailure) -> Value {
        guard !isDown.withLock({ $0 }) else { throw TunnelFailure("registry_down", "It is down.") }
        return model.withLock { body(&$0) }
    }

    func beat(_ beat: RegistryBeat) async throws(TunnelFailure) -> RegistryAnswer {
        let now = time.now
        return try change { $0.take(beat, at: now) }
    }

    func settle(_ name: String, _ record: [UInt8]) async throws(TunnelFailure) -> [UInt8] {
        try change { model in
            let there = model.fields["settled"]?[name] ?? record
            model.fields["settled", default: [:]][name] = there
            return there
        }
    }

    func record(_ id: String, in collection: String) async throws(TunnelFailure) -> [UInt8]? {
        try change { $0.fields[collection]?[id] }
    }

    func spend(_ id: String, by hub: String) async throws(TunnelFailure) -> Bool {
        try change { model in
            let by = model.spent[id] ?? hub
            model.spent[id] = by
            return by == hub
        }
    }

    func records(in collection: String) async throws(TunnelFailure) -> [String: [UInt8]] {
        try change { $0.fields[collection] ?? [:] }
    }

    func exchange(
        _ collection: String, _ id: String, from old: [UInt8]?, to new: [UInt8]?
    ) async throws(TunnelFailure) -> Bool {
        try change { $0.exchange(collection, id, from: old, to: new) }
    }
}
