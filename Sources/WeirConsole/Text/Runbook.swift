import WeirGates

/// Where the documentation says what to do, by the code of a connector's trouble or by what a gate does.
enum Runbook {
    static let folder = "docs/runbooks/"

    /// Sections of the connectors' page, by code. Failures of a run that Weir starts share the one about the source.
    static let sections: [String: String] = [
        "queue_threshold": "buffering",
        "queue_limit": "held-push",
        "stale_ping": "stale-heartbeat",
        "run_overdue": "overdue-run",
        "hung_publisher": "hung-publisher",
        "hung_run": "hung-publisher",
        "source_silent": "silent-source",
        "works_never_closed": "stuck-works",
        "works_leaking": "stuck-works",
        "dead_letters": "dead-letters",
        "queue_unreadable": "work-queue-unreadable",
        "unmeasured": "work-queue-unreadable",
        "level_unknown": "work-queue-unreadable",
        "not_configured": "not-configured",
        "connect_failed": "source-down",
        "connect_refused": "source-down",
        "connect_timeout": "source-down",
        "connection_closed": "source-down",
        "connection_reset": "source-down",
        "dns_failed": "source-down",
        "tls_failed": "source-down",
        "too_many_open_files": "source-down",
        "bad_answer": "source-answers-badly",
        "storage": "work-queue-unreadable",
        "unreadable_file": "work-queue-unreadable",
        "held": "held-push",
        "not_found": "source-down",
        "request_timeout": "source-down",
        "run_timeout": "source-down",
        "no_token": "source-down",
        "tls_files": "source-down",
        "no_collections": "source-answers-badly",
        "no_content": "source-answers-badly",
        "no_items": "source-answers-badly",
        "no_object": "source-answers-badly",
        "no_objects": "source-answers-badly",
        "not_a_bundle": "source-answers-badly",
        "not_a_feed": "source-answers-badly",
        "not_taxii": "source-answers-badly",
        "too_large": "source-answers-badly",
        "compression_bomb": "source-answers-badly",
        "feed_too_large": "source-answers-badly",
        "object_too_large": "source-answers-badly",
        "nested_too_deep": "source-answers-badly",
        "invalid_base64": "source-answers-badly",
        "invalid_compression": "source-answers-badly",
        "invalid_csv": "source-answers-badly",
        "invalid_json": "source-answers-badly",
        "invalid_xml": "source-answers-badly",
        "record_too_long": "source-answers-badly",
        "unknown_charset": "source-answers-badly",
        "unknown_encoding": "source-answers-badly",
        "unreadable_record": "source-answers-badly",
        "invalid_url": "source-answers-badly",
        "invalid_expression": "source-answers-badly",
        "invalid_event": "source-answers-badly",
        "expression_failed": "source-answers-badly",
        "pagination_invalid": "source-answers-badly",
        "pagination_endless": "source-answers-badly",
        "pagination_elsewhere": "source-answers-badly",
        "exec_exit": "program-failed",
        "exec_failed": "program-failed",
        "exec_timeout": "program-failed",
        "line_too_long": "program-failed",
        "invalid_state": "state-unreadable",
        "state_too_long": "state-unreadable",
        "run_failed": "program-failed",
        "broker_unreachable": "rabbitmq-not-connected",
        "broker_tls": "rabbitmq-not-connected",
        "broker_refused": "rabbitmq-not-connected",
        "broker_protocol": "rabbitmq-not-connected",
        "broker_queue": "rabbitmq-queue-trouble",
        "broker_queue_differs": "rabbitmq-queue-trouble",
        "broker_unmeasured": "rabbitmq-sizes-unknown",
    ]

    /// `docs/runbooks/connectors.md#stale-heartbeat`; `nil` where nothing is to be done.
    static func connector(_ code: String) -> String? {
        // Not every status that a server may answer with is named.
        let section = sections[code] ?? (code.hasPrefix("http_") ? "source-down" : nil)
        return section.map { "\(folder)connectors.md#\($0)" }
    }

    /// Sections of the tunnel's page, by code.
    static let tunnelSections: [String: String] = [
        "no_agent": "weirtunnelnoagent", "policy_error": "weirtunnelpolicyerrors",
        "dial_failed": "weirtunnellistenererrors", "slow_receiver": "weirtunnelqueuefills",
        "bandwidth": "weirtunnelbackpressure",
        "decision_rate": "weirtunnelbackpressure",
        "connection_limit": "weirtunnellistenererrors", "certificate_expires": "weirtunnelcertificateexpires",
        "stalled": "weirtunnelstalled",
        "registry_down": "weirtunnelregistrydown", "book_behind": "weirtunnelregistrydown",
        "registry_refused": "weirtunnelregistrydown", "registry_busy": "weirtunnelregistrydown",
        "seal": "weirtunnelregistrydown", "authority_differs": "weirtunnelregistrydown",
        "mesh_down": "weirtunnelmeshdown", "name_taken": "weirtunnelmeshdown",
    ]

    static func tunnel(_ code: String) -> String? {
        tunnelSections[code].map { "\(folder)tunnel.md#\($0)" }
    }

    /// Of a gate as it is now; `nil` while nothing is held.
    static func gate(_ reading: GateReading) -> String? {
        if reading.kind == .connector { return connector(reading.reason.code) }
        guard reading.kind == .stream, reading.state != .open else { return nil }
        switch (reading.reason.code, reading.state) {
        case ("disk_full", _), ("disk_error", _), ("read_only", _): return folder + "disk_full.md"
        case (_, .suspended): return folder + "suspended.md"
        case (_, .queueing): return folder + "queueing.md"
        case (_, .blocking), (_, .filling), (_, .paused), (_, .dropping): return folder + "blocking.md"
        default: return nil
        }
    }
}
