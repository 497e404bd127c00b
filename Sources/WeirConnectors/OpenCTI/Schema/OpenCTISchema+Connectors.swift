internal import Logging
internal import WeirWorld

/// Registration, ping and the look at a connector.
extension OpenCTISchema {
    var connectorQueries: [GraphField] {
        [
            .object("connector", "Connector", [.required("id", "String")]) { call in
                // Null for an unknown one, as OpenCTI answers: pycti looks for `id` in it.
                await platform.connector(try call.requiredText("id")).map { .node($0) } ?? .null
            },
            .object("connectors", "Connector") { _ in .nodes(await platform.connectors()) },
        ]
    }

    var connectorMutations: [GraphField] {
        [
            .object("registerConnector", "Connector", [.required("input", "RegisterConnectorInput")]) { call in
                let registration = try OpenCTISchema.registration(call.arguments["input"] ?? .null)
                return .node(try await platform.register(registration))
            },
            .object(
                "pingConnector", "Connector",
                [
                    .required("id", "ID"), .optional("state", "String"),
                    .optional("connectorInfo", "ConnectorInfoInput"),
                ]
            ) { call in
                let id = try call.requiredText("id")
                let report = try OpenCTISchema.report(call.arguments["connectorInfo"] ?? .null)
                let record =
                    if let pinged = call.request.pinged {
                        try pinged.get()
                    } else {
                        try await platform.ping(id, state: call.text("state"), report: report)
                    }
                guard let record else {
                    throw ConnectorFailure(
                        .unknownConnector, "No connector found with the id \(id): start it again to register it.")
                }
                return .node(record)
            },
            .object("resetStateConnector", "Connector", [.required("id", "ID")]) { call in
                let id = try call.requiredText("id")
                try await platform.resetState(id)
                return await platform.connector(id).map { .node($0) } ?? .null
            },
            .leaf("deleteConnector", [.required("id", "ID")]) { call in
                let id = try call.requiredText("id")
                // A connector that may not go yet, because something of it waits, keeps its key.
                try await broker?.mayRemove(id)
                try await platform.remove(id)
                try await broker?.revoke(id)
                return .string(id)
            },
        ]
    }

    var connectorTypes: [GraphObjectType] { [connector, connectorInfo, queueDetails, config, connection, user, s3] }

    private var connector: GraphObjectType {
        typealias Record = ConnectorRecord
        return GraphObjectType(
            "Connector",
            [
                .leaf("id", of: Record.self) { .string($0.id) },
                .leaf("standard_id", of: Record.self) { .string($0.id) },
                .leaf("entity_type", of: Record.self) { _ in .string("Connector") },
                .leaf("name", of: Record.self) { .string($0.registration.name) },
                .leaf("title", of: Record.self) { .string($0.registration.name) },
                .leaf("active") { call in .bool(isActive(try call.source(Record.self))) },
                .leaf("auto", of: Record.self) { .bool($0.registration.isAutomatic) },
                .leaf("only_contextual", of: Record.self) { _ in .bool(false) },
                .leaf("playbook_compatible", of: Record.self) { _ in .bool(false) },
                .leaf("built_in", of: Record.self) { _ in .bool(false) },
                .leaf("is_managed", of: Record.self) { _ in .bool(false) },
                .leaf("connector_type", of: Record.self) { .string($0.registration.type) },
                .leaf("connector_scope", of: Record.self) { .texts($0.registration.scope) },
                .leaf("connector_state", of: Record.self) { .text($0.state) },
                .leaf("connector_user_id", of: Record.self) { .string($0.userID) },
                .leaf("connector_priority_group", of: Record.self) { _ in .string("DEFAULT") },
                // A set of keys for connectors that listen; Weir calls none of them.
                .leaf("jwks", of: Record.self) { _ in .string(#"{"keys": []}"#) },
                .leaf("created_at", of: Record.self) { .time($0.registeredAt) },
                .leaf("updated_at", of: Record.self) { .time($0.lastPing ?? $0.registeredAt) },
                .object("connector_info", "ConnectorInfo") { call in
                    try call.source(Record.self).report.map { .node($0) } ?? .null
                },
                .object("connector_queue_details", "ConnectorQueueDetails") { call in
                    .node(await queueLevel(of: try call.source(Record.self)))
                },
                .object("connector_user", "User") { .node(try $0.source(Record.self)) },
                .object("config", "ConnectorConfig") { .node(ConnectorTopology(try $0.source(Record.self).id)) },
            ])
    }

    /// As in OpenCTI: heard of within the last five minutes.
    private func isActive(_ record: ConnectorRecord) -> Bool {
        world.time.wall - (record.lastPing ?? record.registeredAt) < .seconds(300)
    }

    private var connectorInfo: GraphObjectType {
        typealias Report = ConnectorReport
        return GraphObjectType(
            "ConnectorInfo",
            [
                .leaf("run_and_terminate", of: Report.self) { .bool($0.isRunAndTerminate) },
                .leaf("buffering", of: Report.self) { .bool($0.isBuffering) },
                .leaf("queue_threshold", of: Report.self) { .number($0.queueThreshold) },
                .leaf("queue_messages_size", of: Report.self) { .number($0.queueSize) },
                .leaf("next_run_datetime", of: Report.self) { .time($0.nextRun) },
                .leaf("last_run_datetime", of: Report.self) { .time($0.lastRun) },
            ])
    }

    private var queueDetails: GraphObjectType {
        GraphObjectType(
            "ConnectorQueueDetails",
            [
                .leaf("messages_number", of: WorkQueueLevel.self) { .whole($0.messages) },
                .leaf("messages_size", of: WorkQueueLevel.self) { .int($0.bytes) },
            ])
    }

    private var config: GraphObjectType {
        typealias Topology = ConnectorTopology
        return GraphObjectType(
            "ConnectorConfig",
            [
                .leaf("listen", of: Topology.self) { .string($0.listenQueue) },
                .leaf("listen_routing", of: Topology.self) { .string($0.listenRouting) },
                .leaf("listen_exchange", of: Topology.self) { _ in .string(Topology.connectorExchange) },
                .leaf("listen_callback_uri", of: Topology.self) { _ in .null },
                .leaf("push", of: Topology.self) { .string($0.pushQueue) },
                .leaf("push_routing", of: Topology.self) { .string($0.pushRouting) },
                .leaf("push_exchange", of: Topology.self) { [broker] in
                    .string(broker?.exchange(for: $0.id) ?? Topology.workerExchange)
                },
                .leaf("dead_letter_routing", of: Topology.self) { _ in .null },
                .object("connection", "ConnectorConnection") { call in
                    let id = try call.source(Topology.self).id
                    return .node(try await broker?.connection(for: id) ?? BrokerConnection.none)
                },
                // An object although there is none: newer versions of pycti read its members and die of a null.
                .object("s3", "S3Connection") { call in .node(try call.source(Topology.self)) },
            ])
    }

    private var connection: GraphObjectType {
        typealias Connection = BrokerConnection
        return GraphObjectType(
            "ConnectorConnection",
            [
                .leaf("host", of: Connection.self) { .string($0.host) },
                .leaf("port", of: Connection.self) { .whole($0.port) },
                .leaf("vhost", of: Connection.self) { .string($0.vhost) },
                .leaf("use_ssl", of: Connection.self) { .bool($0.usesTLS) },
                .leaf("user", of: Connection.self) { .string($0.user) },
                .leaf("pass", of: Connection.self) { .string($0.password) },
            ])
    }

    private var user: GraphObjectType {
        GraphObjectType(
            "User",
            [
                .leaf("id", of: ConnectorRecord.self) { .string($0.userID) },
                .leaf("name", of: ConnectorRecord.self) { .string($0.registration.name) },
            ])
    }

    private var s3: GraphObjectType {
        let names = ["endpoint", "port", "use_ssl", "bucket_name", "bucket_region", "access_key", "secret_key"]
        return GraphObjectType("S3Connection", names.map { .leaf($0) { _ in .null } })
    }
}
