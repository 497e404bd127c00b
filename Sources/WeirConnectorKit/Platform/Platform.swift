internal import NIOCore
internal import WeirGates
internal import WeirWorld

/// The operations of a platform (Weir or OpenCTI) that a connector needs: one GraphQL request each, once; who wants it
/// tried again does that.
struct Platform: Sendable {
    let transport: Transport
    /// Of a short operation. A push may be held for up to 240 s, and longer by a proxy: pycti waits 300 s for all.
    static let shortLimit = Duration.seconds(60)
    static let pushLimit = Duration.seconds(300)

    func version() async throws(PlatformFailure) -> String {
        let data = try await ask("query healthCheck { about { version } }", [:])
        return data["about"]?.object?["version"]?.text ?? "unknown"
    }

    func register(_ configuration: ConnectorConfiguration) async throws(PlatformFailure) -> Registration {
        let data = try await ask(
            """
            mutation RegisterConnector($input: RegisterConnectorInput) { registerConnector(input: $input) { \
            id connector_state connector_user_id config { connection { host vhost use_ssl port user pass } \
            push_routing push_exchange } } }
            """,
            [
                "input": [
                    "id": .string(configuration.id), "name": .string(configuration.name), "type": "EXTERNAL_IMPORT",
                    "scope": .array(configuration.scope.map { .string($0) }), "auto": false, "only_contextual": false,
                    "playbook_compatible": false,
                ]
            ])
        return try Registration(data["registerConnector"]?.object)
    }

    /// - Returns: the state as the platform has it now.
    func ping(
        _ id: String, state: String?, report: ConnectorReport, limit: Duration = shortLimit
    ) async throws(PlatformFailure) -> String? {
        let data = try await ask(
            """
            mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) { \
            pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state } }
            """,
            ["id": .string(id), "state": .string(state ?? "null"), "connectorInfo": report.json], limit: limit)
        guard let answer = data["pingConnector"]?.object else { throw Platform.nonsense("pingConnector") }
        return answer["connector_state"]?.text
    }

    /// - Returns: bytes in the connector's work queue.
    func queueSize(_ id: String) async throws(PlatformFailure) -> Int64 {
        let data = try await ask(
            """
            query GetConnector($id: String!) { connector(id: $id) { id connector_queue_details { messages_number \
            messages_size } } }
            """, ["id": .string(id)])
        switch data["connector"]?.object?["connector_queue_details"]?.object?["messages_size"] {
        case .integer(let bytes): return bytes
        case .real(let bytes): return Int64(exactly: bytes.rounded()) ?? .max
        default: throw Platform.nonsense("connector")
        }
    }

    func addWork(_ id: String, name: String, isMultipart: Bool) async throws(PlatformFailure) -> String {
        let data = try await ask(
            """
            mutation workAdd($connectorId: String!, $friendlyName: String, $isMultiPartWork: Boolean) { \
            workAdd(connectorId: $connectorId, friendlyName: $friendlyName, isMultiPartWork: $isMultiPartWork) { id } }
            """,
            ["connectorId": .string(id), "friendlyName": .string(name), "isMultiPartWork": .bool(isMultipart)])
        guard let work = data["workAdd"]?.object?["id"]?.text else { throw Platform.nonsense("workAdd") }
        return work
    }

    func addExpectations(_ work: String, _ count: Int) async throws(PlatformFailure) {
        _ = try await ask(
            """
            mutation addExpectations($id: ID!, $expectations: Int) { \
            workEdit(id: $id) { addExpectations(expectations: $expectations) } }
            """, ["id": .string(work), "expectations": .integer(Int64(count))])
    }

    func processed(
        _ work: String, message: String, isError: Bool, limit: Duration = shortLimit
    ) async throws(PlatformFailure) {
        _ = try await ask(
            """
            mutation workToProcessed($id: ID!, $message: String, $inError: Boolean) { \
            workEdit(id: $id) { toProcessed(message: $message, inError: $inError) } }
            """, ["id": .string(work), "message": .string(message), "inError": .bool(isError)], limit: limit)
    }

    func push(_ id: String, bundle: String, work: String?) async throws(PlatformFailure) {
        _ = try await ask(
            """
            mutation StixBundlePush($connectorId: String!, $bundle: String!, $work_id: String) { \
            stixBundlePush(connectorId: $connectorId, bundle: $bundle, work_id: $work_id) }
            """,
            ["connectorId": .string(id), "bundle": .string(bundle), "work_id": work.map { .string($0) } ?? .null],
            limit: Platform.pushLimit)
    }

    // MARK: GraphQL

    private func ask(
        _ query: String, _ variables: JSONObject, limit: Duration = shortLimit
    ) async throws(PlatformFailure) -> JSONObject {
        var body = ByteBuffer()
        JSONValue.object(["query": .string(query), "variables": .object(variables)]).write(to: &body)
        let answer = try await transport.post(body, limit)
        let document = try? JSONValue(parsing: Array(answer.body.readableBytesView))
        let error = document?.object?["errors"]?.elements?.first?.object
        guard answer.status == 200 else {
            throw PlatformFailure(.status(answer.status), Platform.explain(answer.status, error, answer.body))
        }
        if let error {
            let name = error["name"]?.text ?? error["extensions"]?.object?["code"]?.text
            throw PlatformFailure(
                .refused(name: name), "The platform refused: \(error["message"]?.text ?? name ?? "it did not say why")")
        }
        guard let data = document?.object?["data"]?.object else {
            throw PlatformFailure(
                .nonsense, "What answers at OPENCTI_URL is no platform: `\(Platform.sample(answer.body))`.")
        }
        return data
    }

    private static func explain(_ status: Int, _ error: JSONObject?, _ body: ByteBuffer) -> String {
        let said = error?["message"]?.text ?? sample(body)
        switch status {
        case 401, 403:
            let advice = said.contains("OPENCTI_TOKEN") ? "" : " Look at OPENCTI_TOKEN."
            return "The platform does not know the token (\(status)): \(said)\(advice)"
        case 404: return "There is nothing at this address (404): \(said) Look at OPENCTI_URL; it has no path."
        default: return "The platform answered with \(status): \(said)"
        }
    }

    private static func sample(_ body: ByteBuffer) -> String { String(buffer: body).clipped(to: 200) }

    private static func nonsense(_ field: String) -> PlatformFailure {
        PlatformFailure(.nonsense, "The platform answered without `\(field)`. Does it know the connector still?")
    }
}
