import WeirGates
import WeirNode
import WeirWorld

/// What `/metrics` says of connectors: sums over all of them, and series of their own for a bounded number.
struct ConnectorMetrics: Sendable {
    /// Connectors with series of their own, those of their gates included; the first by id. Each has about fifty.
    static let seriesMost = 500

    let index: ConnectorIndex
    /// Sorted by id.
    let statuses: [ConnectorStatus]

    /// - Returns: `nil` where the configuration has no connectors.
    static func look(_ node: any NodeAccess) async -> ConnectorMetrics? {
        guard let connectors = node.connectors else { return nil }
        let index = await connectors.index()
        let ids = index.rows.map(\.id).sorted().prefix(seriesMost)
        return ConnectorMetrics(index: index, statuses: connectors.statuses(of: Array(ids)))
    }

    func add(to out: inout Exposition) {
        out.family("weir_connectors", .gauge, "Connectors by state; `trouble` counts those with one, whatever they do.")
        { samples in
            for word in ConnectorQuery.words { samples.add(index.counts[word, default: 0], ["state": word]) }
            samples.add(index.troubled, ["state": ConnectorQuery.trouble])
        }
        out.family("weir_connectors_queue_bytes", .gauge, "Bytes in the work queues of all connectors.") {
            $0.add(index.bytes)
        }
        out.family(
            "weir_connectors_without_series", .gauge,
            "Connectors beyond the first 500 by id: they count in the sums and have no series of their own."
        ) { $0.add(index.rows.count - statuses.count) }
        out.family("weir_connector_queue_bytes", .gauge, "Bytes in its work queue; absent while unreadable.") {
            samples in
            for status in statuses {
                if let bytes = status.queueBytes { samples.add(bytes, ["connector": status.id]) }
            }
        }
        out.family(
            "weir_connector_threshold_bytes", .gauge, "Where its runs are put off; its own when it told one."
        ) { samples in
            for status in statuses { samples.add(status.threshold, ["connector": status.id]) }
        }
        out.family(
            "weir_connector_buffering", .gauge, "1 while the connector's next run is put off because its queue is full."
        ) { samples in
            for status in statuses { samples.add(status.isBuffering ? 1 : 0, ["connector": status.id]) }
        }
        addTimes(&out)
        out.family("weir_connector_failed_runs", .gauge, "Runs that failed since the last one that did not.") {
            samples in
            for status in statuses where status.origin != "opencti" {
                samples.add(status.failures, ["connector": status.id])
            }
        }
        out.family("weir_connector_open_works", .gauge, "Works of the connector that are not complete.") { samples in
            for status in statuses { samples.add(status.openWorks.count, ["connector": status.id]) }
        }
        out.family("weir_connector_trouble", .gauge, "1 for each trouble of the connector; `none` is 1 without any.") {
            samples in
            for status in statuses {
                let codes = Set(status.troubles.map(\.code)).sorted()
                for code in codes { samples.add(1, ["connector": status.id, "reason": code]) }
                samples.add(codes.isEmpty ? 1 : 0, ["connector": status.id, "reason": "none"])
            }
        }
    }

    private func addTimes(_ out: inout Exposition) {
        out.family(
            "weir_connector_last_run_timestamp_seconds", .gauge, "Last run of the connector, in seconds since 1970."
        ) { samples in
            for status in statuses {
                switch status.lastRun {
                case .at(let time), .fromState(let time):
                    samples.add(time.secondsSince1970, ["connector": status.id])
                case .notProvided: continue
                }
            }
        }
        out.family(
            "weir_connector_next_run_timestamp_seconds", .gauge, "Next run of the connector, in seconds since 1970."
        ) { samples in
            for status in statuses {
                if case .at(let time) = status.nextRun {
                    samples.add(time.secondsSince1970, ["connector": status.id])
                }
            }
        }
        out.family(
            "weir_connector_last_ping_timestamp_seconds", .gauge,
            "Last heartbeat of a connector with a process of its own, in seconds since 1970."
        ) { samples in
            for status in statuses {
                if let ping = status.lastPing { samples.add(ping.secondsSince1970, ["connector": status.id]) }
            }
        }
    }
}
