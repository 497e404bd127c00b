internal import NIOCore
internal import WeirWorld

/// Bundles that come by the API.
extension OpenCTISchema {
    var pushMutations: [GraphField] {
        [
            .leaf(
                "stixBundlePush",
                [
                    .required("connectorId", "String"),
                    GraphArgument(name: "bundle", type: .required(.named("String")), canStream: true),
                    .optional("work_id", "String"),
                ]
            ) { call in
                let id = try call.requiredText("connectorId")
                // An empty one means "none", as in OpenCTI.
                let work = call.text("work_id").flatMap { $0.isEmpty ? nil : $0 }
                if call.arguments["bundle"] == .streamed {
                    try await finish(call.request.streamed, connector: id, work: work)
                } else {
                    let text = try call.requiredText("bundle")
                    let bytes = ByteBuffer(string: text)
                    let head = BundleHead(connector: id, work: work, encoding: .stix, byteCount: bytes.readableBytes)
                    try await platform.push(BundlePush(head, bytes: bytes), deadline: call.request.deadline)
                }
                return .bool(true)
            }
        ]
    }

    private func finish(_ streamed: StreamedBundle?, connector: ConnectorID, work: WorkID?) async throws {
        guard let streamed, streamed.connector == connector else {
            throw GraphProblem(
                .badInput,
                "A bundle over \(OpenCTIDoor.gatherMost) bytes must come as the variable `bundle`, and be pushed for "
                    + "the connector that the variable `connectorId` names.")
        }
        try await streamed.finish(work: work)
    }
}
