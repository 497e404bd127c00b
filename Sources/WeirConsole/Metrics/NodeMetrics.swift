import WeirFlow
import WeirGates
import WeirNode
import WeirWorld

/// `/metrics`: the whole node as Prometheus sees it. Every label is from a small closed set; every series that can be
/// known from the configuration is there from the start with zero, so that a first increase is an increase.
enum NodeMetrics {
    /// - Parameter connectors: absent where the configuration has none.
    static func text(
        _ node: any NodeAccess, process: ProcessReading, connectors: ConnectorMetrics? = nil,
        identity: IdentityMetrics? = nil
    ) -> String {
        let gates = node.gates.readings(crowd: GateKind.connectorPrefix, most: ConnectorMetrics.seriesMost).readings
        // What a composed destination hands on is counted by its members.
        let ends = gates.filter(\.members.isEmpty)
        let now = node.world.time.wall
        var out = Exposition()
        addGates(gates, &out)
        addFlow(ends, &out)
        addQueues(node.queues, now, &out)
        addDelivery(ends, &out)
        addSources(node.sources, &out)
        addRoutes(node.routes, &out)
        addDestinations(node.destinations, &out)
        connectors?.add(to: &out)
        if let tunnel = node.tunnel {
            let metrics = TunnelMetrics(tunnel)
            metrics.add(to: &out)
            if tunnel.givesNowConnectNames { metrics.addNowConnect(to: &out) }
            if let mesh = tunnel.mesh.map(MeshMetrics.init) {
                mesh.add(to: &out)
                if tunnel.givesNowConnectNames { mesh.addNowConnect(to: &out) }
            }
        }
        identity?.add(to: &out)
        addNode(node, process, now, &out)
        return out.text
    }

    private static func addGates(_ gates: [GateReading], _ out: inout Exposition) {
        out.family("weir_gate_state", .gauge, "State of a gate: 1 for the state it is in, 0 for all others.") {
            samples in
            for gate in gates {
                for state in GateState.allCases {
                    samples.add(gate.state == state ? 1 : 0, ["gate": gate.id, "state": state.rawValue])
                }
            }
        }
        out.family("weir_gate_level_ratio", .gauge, "Level of a gate as a part of its limit; absent while unmeasured.")
        { samples in
            for gate in gates { if let ratio = gate.ratio { samples.add(ratio, ["gate": gate.id]) } }
        }
        addLevels(gates, .bytes, "weir_gate_level_bytes", "weir_gate_limit_bytes", &out)
        addLevels(gates, .events, "weir_gate_level_events", "weir_gate_limit_events", &out)
        addLevels(gates, .requests, "weir_gate_level_requests", "weir_gate_limit_requests", &out)
        addLevels(gates, .frames, "weir_gate_level_frames", "weir_gate_limit_frames", &out)
        addLevels(gates, .files, "weir_gate_level_files", "weir_gate_limit_files", &out)
        addLevels(gates, .actions, "weir_gate_level_actions", "weir_gate_limit_actions", &out)
        out.family(
            "weir_gate_since_timestamp_seconds", .gauge,
            "When the gate came into its present state, in seconds since 1970."
        ) { samples in
            for gate in gates { samples.add(gate.since.secondsSince1970, ["gate": gate.id]) }
        }
        out.family("weir_gate_transitions_total", .counter, "Changes of state, by the new state and its reason.") {
            samples in
            for gate in gates {
                var seen: Set<String> = []
                for (key, count) in gate.counters.transitions.sorted(by: { $0.key < $1.key }) {
                    let (to, reason) = transition(key)
                    seen.insert(to)
                    samples.add(count, ["gate": gate.id, "to": to, "reason": reason])
                }
                for state in GateState.allCases where !seen.contains(state.rawValue) {
                    samples.add(0, ["gate": gate.id, "to": state.rawValue, "reason": "none"])
                }
            }
        }
        out.family("weir_gate_blocked_seconds_total", .counter, "Time that senders have waited at the gate.") {
            samples in
            for gate in gates { samples.add(Double(gate.counters.blockedNanoseconds) / 1e9, ["gate": gate.id]) }
        }
    }

    /// Keys of the counter are `state/reason`.
    static func transition(_ key: String) -> (to: String, reason: String) {
        let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
        return (parts.first ?? key, parts.count > 1 ? parts[1] : "any")
    }

    private static func addLevels(
        _ gates: [GateReading], _ unit: LevelUnit, _ level: StaticString, _ limit: StaticString, _ out: inout Exposition
    ) {
        let gates = gates.filter { $0.limit.unit == unit }
        out.family(level, .gauge, "What is held at the gate now, in the unit of its limit; absent while unmeasured.") {
            samples in
            for gate in gates { if let level = gate.level { samples.add(level, ["gate": gate.id]) } }
        }
        out.family(limit, .gauge, "How much may be held at the gate.") { samples in
            for gate in gates { samples.add(gate.limit.amount, ["gate": gate.id]) }
        }
    }

    private static func addFlow(_ gates: [GateReading], _ out: inout Exposition) {
        out.family(
            "weir_events_total", .counter,
            "Events by what became of them. taken + recovered = delivered + dropped + dead_lettered + held."
        ) { samples in
            for gate in gates {
                let counters = gate.counters
                samples.add(counters.takenEvents, ["gate": gate.id, "decision": "taken"])
                samples.add(counters.recoveredEvents, ["gate": gate.id, "decision": "recovered"])
                samples.add(counters.deliveredEvents, ["gate": gate.id, "decision": "delivered"])
                samples.add(counters.droppedTotal, ["gate": gate.id, "decision": "dropped"])
                samples.add(counters.deadLetteredEvents, ["gate": gate.id, "decision": "dead_lettered"])
            }
        }
        out.family("weir_gate_held_events", .gauge, "Events in memory and on disk at the gate now.") { samples in
            for gate in gates { samples.add(gate.counters.heldEvents, ["gate": gate.id]) }
        }
        out.family("weir_dropped_events_total", .counter, "Events dropped on purpose, by reason.") { samples in
            for gate in gates { byReason(gate.counters.droppedEvents, "gate", gate.id, &samples) }
        }
        out.family("weir_event_bytes_total", .counter, "Bytes of events taken and delivered.") { samples in
            for gate in gates {
                samples.add(gate.counters.takenBytes, ["gate": gate.id, "decision": "taken"])
                samples.add(gate.counters.deliveredBytes, ["gate": gate.id, "decision": "delivered"])
            }
        }
    }

    private static func addQueues(_ queues: [QueueStatus], _ now: WallTime, _ out: inout Exposition) {
        out.family("weir_queue_bytes", .gauge, "Bytes in the disk queue.") { samples in
            for queue in queues { samples.add(queue.reading.bytes, ["queue": queue.name]) }
        }
        out.family("weir_queue_max_bytes", .gauge, "Bytes that the disk queue may hold.") { samples in
            for queue in queues { samples.add(queue.reading.maxBytes, ["queue": queue.name]) }
        }
        out.family("weir_queue_events", .gauge, "Events in the disk queue.") { samples in
            for queue in queues { samples.add(queue.reading.events, ["queue": queue.name]) }
        }
        out.family(
            "weir_queue_oldest_seconds", .gauge, "Age of the oldest event in the disk queue; 0 when it is empty."
        ) { samples in
            for queue in queues {
                samples.add(queue.reading.oldest.map { max(0, (now - $0).inSeconds) } ?? 0, ["queue": queue.name])
            }
        }
        out.family("weir_queue_engaged", .gauge, "1 while what comes in goes to the disk queue or the queue drains.") {
            samples in
            for queue in queues { samples.add(queue.reading.isEngaged ? 1 : 0, ["queue": queue.name]) }
        }
    }

    private static func addDelivery(_ gates: [GateReading], _ out: inout Exposition) {
        out.family("weir_delivery_seconds", .histogram, "Time from taking a batch to its delivery.") { samples in
            for gate in gates { samples.histogram(gate.latencyBuckets, ["gate": gate.id]) }
        }
        out.family("weir_delivery_attempts_total", .counter, "Batches sent to the receiver, repeats included.") {
            samples in
            for gate in gates { samples.add(gate.counters.attempts, ["gate": gate.id]) }
        }
        out.family("weir_delivery_failures_total", .counter, "Attempts that the receiver did not accept, by reason.") {
            samples in
            for gate in gates { byReason(gate.counters.failures, "gate", gate.id, &samples) }
        }
    }

    private static func addSources(_ sources: [SourceStatus], _ out: inout Exposition) {
        let readings = sources.map(\.reading)
        out.family("weir_source_events_total", .counter, "Events read by the source.") { samples in
            for source in readings { samples.add(source.events, ["source": source.name]) }
        }
        out.family("weir_source_bytes_total", .counter, "Bytes of events read by the source.") { samples in
            for source in readings { samples.add(source.bytes, ["source": source.name]) }
        }
        out.family(
            "weir_source_dropped_total", .counter, "Events that a source could neither keep nor delay, by reason."
        ) { samples in
            for source in readings { byReason(source.dropped, "source", source.name, &samples) }
        }
        out.family(
            "weir_source_malformed_total", .counter, "Events that were not as their protocol says, by reason."
        ) { samples in
            for source in readings { byReason(source.malformed, "source", source.name, &samples) }
        }
        out.family("weir_source_refused_total", .counter, "Requests and connections refused, by reason.") { samples in
            for source in readings { byReason(source.refused, "source", source.name, &samples) }
        }
        out.family("weir_source_waiting_seconds_total", .counter, "Time that batches of the source waited for room.") {
            samples in
            for source in readings { samples.add(Double(source.waitedNanoseconds) / 1e9, ["source": source.name]) }
        }
        out.family("weir_source_waiting_batches", .gauge, "Batches of the source that wait for room now.") { samples in
            for source in readings { samples.add(source.waiting, ["source": source.name]) }
        }
        out.family("weir_source_connections", .gauge, "Connections open to the source.") { samples in
            for source in readings { samples.add(source.connections, ["source": source.name]) }
        }
    }

    private static func addRoutes(_ routes: [RouteStatus], _ out: inout Exposition) {
        out.family(
            "weir_route_events_total", .counter,
            "Events that a route matched, and those whose condition could not be evaluated (counted as no match)."
        ) { samples in
            for route in routes {
                samples.add(route.matchedEvents, ["route": route.name, "result": "matched"])
                samples.add(route.failedEvents, ["route": route.name, "result": "failed"])
            }
        }
    }

    private static func addDestinations(_ destinations: [DestinationStatus], _ out: inout Exposition) {
        out.family("weir_dead_letter_events", .gauge, "Events kept as dead letters now.") { samples in
            for destination in destinations {
                samples.add(destination.deadLetters.events, ["destination": destination.name])
            }
        }
        out.family("weir_endpoint_up", .gauge, "1 unless the endpoint rests after failures.") { samples in
            for destination in destinations {
                for endpoint in destination.endpoints {
                    samples.add(
                        endpoint.breaker == "open" ? 0 : 1,
                        ["destination": destination.name, "endpoint": endpoint.name])
                }
            }
        }
        out.family("weir_endpoint_events_total", .counter, "Events that the endpoint accepted.") { samples in
            for destination in destinations {
                for endpoint in destination.endpoints {
                    samples.add(endpoint.sentEvents, ["destination": destination.name, "endpoint": endpoint.name])
                }
            }
        }
    }

    private static func addNode(
        _ node: any NodeAccess, _ process: ProcessReading, _ now: WallTime, _ out: inout Exposition
    ) {
        out.family("weir_health_check", .gauge, "1 when this part of readiness is well.") { samples in
            for check in node.health { samples.add(check.isOK ? 1 : 0, ["check": check.name]) }
        }
        out.family("weir_build_info", .gauge, "Always 1; the labels say what runs.") {
            $0.add(1, ["version": node.version])
        }
        out.family("weir_start_timestamp_seconds", .gauge, "When the node started, in seconds since 1970.") {
            $0.add(node.started.secondsSince1970)
        }
        add(process, to: &out)
    }

    /// What every process of Weir's says of itself.
    static func add(_ process: ProcessReading, to out: inout Exposition) {
        optional("process_cpu_seconds_total", .counter, "CPU time used, user and system.", process.cpuSeconds, &out)
        optional(
            "process_resident_memory_bytes", .gauge, "Memory in use.", process.residentBytes.map(Double.init), &out)
        optional(
            "process_virtual_memory_bytes", .gauge, "Address space in use.", process.virtualBytes.map(Double.init), &out
        )
        optional(
            "process_start_time_seconds", .gauge, "Start of the process, in seconds since 1970.", process.startSeconds,
            &out)
        optional("process_open_fds", .gauge, "Open file descriptors.", process.openFiles.map(Double.init), &out)
        optional(
            "process_max_fds", .gauge, "File descriptors that may be open.", process.maxFiles.map(Double.init), &out)
    }

    private static func optional(
        _ name: StaticString, _ kind: Exposition.Kind, _ help: StaticString, _ value: Double?, _ out: inout Exposition
    ) {
        out.family(name, kind, help) { samples in if let value { samples.add(value) } }
    }

    /// Reasons are not known before they happen; `none` keeps the family present with zero.
    private static func byReason(
        _ counts: [String: UInt64], _ label: StaticString, _ name: String, _ samples: inout Exposition.Samples
    ) {
        if counts.isEmpty { samples.add(0, [label: name, "reason": "none"]) }
        for (reason, count) in counts.sorted(by: { $0.key < $1.key }) {
            samples.add(count, [label: name, "reason": reason])
        }
    }
}
