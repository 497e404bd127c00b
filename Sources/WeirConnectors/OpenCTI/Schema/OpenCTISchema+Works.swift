internal import WeirWorld

/// Works: what one run of a connector must still deliver.
extension OpenCTISchema {
    /// Most that one page has.
    static let worksMost = 500

    var workQueries: [GraphField] {
        [
            .object("work", "Work", [.required("id", "ID")]) { call in
                await platform.work(try call.requiredText("id")).map { .node($0) } ?? .null
            },
            .leaf("isWorkAlive", [.required("id", "ID")]) { call in
                .bool(await platform.work(try call.requiredText("id")) != nil)
            },
            .object(
                "works", "WorkConnection",
                [.optional("first", "Int"), .optional("after", "ID"), .optional("filters", "FilterGroup")]
            ) { call in
                let part = try GraphPage<Work>.Part(call, most: Self.worksMost)
                let most = part.before + part.most + 1
                let filter = try FilterGroup(call.arguments["filters"] ?? .null, known: ["connector_id"])
                guard let ids = filter.values["connector_id"] else {
                    let works = await platform.works(of: nil, most: most)
                    return .node(GraphPage(part, of: works, isWhole: works.count < most))
                }
                var works: [Work] = []
                for id in ids { works += await platform.works(of: id, most: most) }
                works.sort { $0.startedAt > $1.startedAt }
                return .node(GraphPage(part, of: works, isWhole: works.count < most))
            },
        ]
    }

    var workMutations: [GraphField] {
        [
            .object(
                "workAdd", "Work",
                [
                    .required("connectorId", "String"), .optional("friendlyName", "String"),
                    .optional("isMultiPartWork", "Boolean"),
                ]
            ) { call in
                let name = call.text("friendlyName") ?? "Run of \(world.time.wall)"
                let isMultipart = call.arguments["isMultiPartWork"]?.flag ?? false
                return .node(
                    try await platform.addWork(
                        try call.requiredText("connectorId"), name: name, isMultipart: isMultipart))
            },
            .object("workEdit", "WorkEditMutations", [.required("id", "ID")]) { .node(try $0.requiredText("id")) },
        ]
    }

    var workTypes: [GraphObjectType] {
        [workEdit, work, workTracking, workNote, workUser] + OpenCTISchema.list("Work", of: Work.self)
    }

    private var workEdit: GraphObjectType {
        func edit(
            _ name: String, _ arguments: [GraphArgument],
            _ change: @escaping @Sendable (WorkID, GraphCall) async throws -> Void
        ) -> GraphField {
            .leaf(name, arguments) { call in
                let id = try call.source(WorkID.self)
                try await change(id, call)
                return .string(id)
            }
        }
        let alive = { @Sendable (id: WorkID) async throws in
            guard await platform.work(id) != nil else {
                throw ConnectorFailure(.unknownWork, "The work \(id) does not exist (any more).")
            }
        }
        return GraphObjectType(
            "WorkEditMutations",
            [
                edit("addExpectations", [.optional("expectations", "Int")]) { id, call in
                    try await platform.expect(id, max(call.arguments["expectations"]?.whole ?? 0, 0))
                },
                edit("toReceived", [.optional("message", "String")]) { id, call in
                    try await platform.received(id, message: call.text("message"))
                },
                edit("toProcessed", [.optional("message", "String"), .optional("inError", "Boolean")]) { id, call in
                    try await platform.processed(
                        id, message: call.text("message"), isError: call.arguments["inError"]?.flag ?? false)
                },
                // Said by workers of OpenCTI; Weir's own workers count what was delivered, so these only answer.
                edit("reportExpectation", [.optional("error", "WorkErrorInput")]) { id, _ in try await alive(id) },
                edit("ping", []) { id, _ in try await alive(id) },
                edit("delete", []) { id, _ in try await platform.deleteWork(id) },
            ])
    }

    private var work: GraphObjectType {
        GraphObjectType(
            "Work",
            [
                .leaf("id", of: Work.self) { .string($0.id) },
                .leaf("name", of: Work.self) { .string($0.name) },
                .leaf("timestamp", of: Work.self) { .time($0.startedAt) },
                .leaf("status", of: Work.self) { .string($0.status.rawValue) },
                .leaf("event_source_id", of: Work.self) { .string($0.connector) },
                .leaf("event_type", of: Work.self) { _ in .string("INTERNAL_IMPORT") },
                .leaf("received_time", of: Work.self) { .time($0.receivedAt) },
                .leaf("processed_time", of: Work.self) { .time($0.processedAt) },
                .leaf("completed_time", of: Work.self) { .time($0.completedAt) },
                .leaf("completed_number", of: Work.self) { .whole($0.delivered + $0.failed) },
                .leaf("import_expected_number", of: Work.self) { .whole(max($0.expected, $0.pushed)) },
                .leaf("import_processed_number", of: Work.self) { .whole($0.delivered + $0.failed) },
                .object("user", "WorkUser") { .node(try $0.source(Work.self)) },
                .object("connector", "Connector") { call in
                    await platform.connector(try call.source(Work.self).connector).map { .node($0) } ?? .null
                },
                .object("tracking", "WorkTracking") { .node(try $0.source(Work.self)) },
                .object("messages", "WorkMessage") { .nodes(try $0.source(Work.self).messages) },
                .object("errors", "WorkMessage") { .nodes(try $0.source(Work.self).errors) },
            ])
    }

    private var workTracking: GraphObjectType {
        GraphObjectType(
            "WorkTracking",
            [
                .leaf("import_expected_number", of: Work.self) { .whole(max($0.expected, $0.pushed)) },
                .leaf("import_processed_number", of: Work.self) { .whole($0.delivered + $0.failed) },
            ])
    }

    private var workNote: GraphObjectType {
        GraphObjectType(
            "WorkMessage",
            [
                .leaf("timestamp", of: Work.Note.self) { .time($0.time) },
                .leaf("message", of: Work.Note.self) { .string($0.text) },
                .leaf("sequence") { _ in .null },
                .leaf("source") { _ in .null },
            ])
    }

    /// A work belongs to its connector; Weir has no other users here.
    private var workUser: GraphObjectType {
        GraphObjectType(
            "WorkUser",
            [
                .leaf("id", of: Work.self) { .string($0.connector) },
                .leaf("name", of: Work.self) { .string($0.connector) },
            ])
    }
}
