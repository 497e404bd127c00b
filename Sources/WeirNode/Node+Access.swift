import NIOCore
import WeirDelivery
package import WeirFlow
import WeirGates
import WeirStore
internal import WeirTunnel
import WeirWorld

extension Node {
    package var sourceReadings: [SourceReading] { sourceList.map { $1.meter.reading } }

    package var sources: [SourceStatus] {
        // The gates of connectors have connectors before them, not sources.
        let held = gates.readings(crowd: GateKind.connectorPrefix, most: 0).readings.filter {
            $0.state == .blocking || $0.state == .suspended || $0.state == .paused
        }
        return sourceList.map { name, source in
            let reading = source.meter.reading
            let held = held.first { $0.senders.contains(name) }
            let (state, reason) = state(of: name, waiting: reading.waiting, held: held)
            return SourceStatus(
                reading: reading, addresses: source.addresses, canBeDelayed: source.canBeDelayed, state: state,
                reason: reason)
        }
    }

    private func state(of name: String, waiting: Int, held: GateReading?) -> (String, Reason?) {
        if let failure = failure(ofSource: name) { return ("failed", failure) }
        guard isSourceOpen(name) else { return ("stopped", nil) }
        guard waiting > 0, let held else { return ("reading", nil) }
        return ("held", Reason("gate_\(held.state.rawValue)", "Held by the gate \(held.id): \(held.reason.sentence)"))
    }

    package var destinations: [DestinationStatus] { receivers + composed.map(status) }

    private var receivers: [DestinationStatus] {
        chains.map { chain in
            DestinationStatus(
                name: chain.name, type: chain.type, gate: gates.reading(chain.name),
                endpoints: chain.endpoints.map {
                    EndpointStatus(
                        name: $0.name, weight: $0.weight, breaker: $0.breaker, inFlight: $0.inFlight,
                        concurrency: $0.concurrency, sentEvents: $0.sentEvents, trouble: $0.trouble)
                }, deadLetters: chain.deadLetterLevel)
        }
    }

    /// Of a destination that owns others: its members stand where others have endpoints.
    private func status(_ destination: ComposedDestination) -> DestinationStatus {
        let sent = destination.sentEvents
        return DestinationStatus(
            name: destination.name, type: destination.kind.rawValue, gate: gates.reading(destination.name),
            endpoints: destination.members.enumerated().map { place, member in
                let gate = gates.reading(member.name)
                let isHeld = gate?.state.isHeld ?? true
                return EndpointStatus(
                    name: member.name, weight: member.weight, breaker: isHeld ? "open" : "closed", inFlight: 0,
                    concurrency: 0, sentEvents: sent?[place] ?? 0, trouble: isHeld ? gate?.reason : nil)
            })
    }

    package var routes: [RouteStatus] {
        zip(plan.rules, router.counts).map { rule, count in
            RouteStatus(
                name: rule.name, condition: rule.text, to: rule.to, isFinal: rule.isFinal, matchedEvents: count.matched,
                failedEvents: count.failed)
        }
    }

    package var queues: [QueueStatus] {
        let owned = chains.compactMap { chain in
            gates.reading(chain.name)?.queue.map {
                QueueStatus(
                    name: chain.name, directory: storage.chainDirectory(chain.name), reading: $0, isOrphan: false)
            }
        }
        return owned + orphans.all
    }

    package func drainQueue(_ name: String, to destination: String) -> Bool { orphans.drain(name, to: destination) }

    package var connectors: (any ConnectorAccess)? { connectorParts }

    package var tunnel: (any TunnelAccess)? { tunnelParts }

    package var identity: (any IdentityAccess)? { identityParts }

    package var health: [HealthCheck] {
        let failed = sourceList.map(\.name).filter { failure(ofSource: $0) != nil }
        return [
            HealthCheck(
                name: "started", isOK: isOpen, message: isOpen ? "everything is open" : "opening queues and listeners"),
            HealthCheck(
                name: "sources", isOK: failed.isEmpty,
                message: failed.isEmpty ? "\(sourceList.count) open" : "failed: \(failed.joined(separator: ", "))"),
            HealthCheck(name: "data", isOK: true, message: storage.directory),
        ] + [tunnelParts?.mesh.map(meshHealth)].compactMap(\.self)
    }

    /// Without its mesh a hub is of use: agents and clients of its own go on.
    private func meshHealth(_ mesh: MeshStatus) -> HealthCheck {
        guard let trouble = mesh.troubles.first else {
            return HealthCheck(
                name: "mesh", isOK: true,
                message: "\(mesh.mode), \(mesh.owned) agents here, \(mesh.peers.count) other hubs")
        }
        return HealthCheck(
            name: "mesh", isOK: true, isDegraded: true, message: trouble.sentence + " " + trouble.advice)
    }

    package func tap(_ name: String, limit: Int, duration: Duration) -> AsyncStream<TapEvent>? {
        if let tap = tapPlace(name) { return TapStream.events(of: tap, limit: limit, duration: duration, world: world) }
        // A source's events are those of them all that it read.
        guard sourceList.contains(where: { $0.name == name }) else { return nil }
        return TapStream.events(of: router.tap, from: name, limit: limit, duration: duration, world: world)
    }

    private func tapPlace(_ name: String) -> Tap? {
        if let chain = chains.first(where: { $0.name == name }) { return chain.tap }
        if let destination = composed.first(where: { $0.name == name }) { return destination.tap }
        if let place = plan.rules.firstIndex(where: { $0.name == name }) { return router.taps[place] }
        return name == router.name ? router.tap : nil
    }

    package func deadLetters(_ destination: String, limit: Int) async throws -> [DeadLetterView] {
        guard let chain = chains.first(where: { $0.name == destination }) else { return [] }
        return try await chain.deadLetters(limit: limit).map {
            DeadLetterView(at: $0.at, reason: $0.reason, attempts: $0.attempts, content: $0.content)
        }
    }

    package func replayDeadLetters(_ destination: String) async throws -> Int {
        guard let chain = chains.first(where: { $0.name == destination }) else { return 0 }
        return try await chain.replayDeadLetters()
    }
}
