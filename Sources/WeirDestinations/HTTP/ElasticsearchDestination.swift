import NIOCore
package import WeirCalls
package import WeirFlow
package import WeirGates
package import WeirSettings
import WeirWires
import WeirWorld

/// Elasticsearch and OpenSearch, by the bulk API.
///
/// Holds back as `http` does. Delivered means that the item was created or indexed; the answer names each item, and
/// only those that were refused for now are sent again:
///
/// | item | meaning |
/// | --- | --- |
/// | 2xx, and 409 of a `create` (it is there already) | delivered |
/// | 429, 5xx | postponed: sent again |
/// | other 4xx | rejected with the receiver's reason |
///
/// With an `_id` from the event, repeating a batch makes no duplicates. Source: Elasticsearch, Bulk API.
package final class ElasticsearchDestination: Destination {
    package enum Action: String, SettingChoice, Sendable {
        case create, index

        package var help: String {
            switch self {
            case .create: "Never replaces a document; works with data streams."
            case .index: "Replaces a document with the same `_id`."
            }
        }
    }

    package struct Auth: WeirSettings.Settings, Hashable {
        package var basic: HTTPAuthSettings.Basic?
        package var bearer: Secret?
        package var apiKey: Secret?
        package init() {}
        package static let fields: [Field<Self>] = [
            field("basic", \.basic, "User and password."),
            field("bearer", \.bearer, "A token."),
            field("api_key", \.apiKey, "An API key, as Elasticsearch gives it (`encoded`)."),
        ]

        package func mistakes() -> [SettingMistake] {
            [basic != nil, bearer != nil, apiKey != nil].filter { $0 }.count > 1
                ? [SettingMistake("", "`basic`, `bearer` and `api_key` exclude each other", help: "keep one")] : []
        }

        var header: String? {
            if let apiKey { return "ApiKey \(apiKey.text)" }
            var auth = HTTPAuthSettings()
            (auth.basic, auth.bearer) = (basic, bearer)
            return auth.header
        }

        var secrets: [String] {
            [basic?.password.text, bearer?.text, apiKey?.text, header].compactMap { $0 }.filter { !$0.isEmpty }
        }
    }

    package struct Settings: HTTPSendingSettings {
        package static let type = "elasticsearch"
        package static let aliases = ["opensearch", "elastic"]
        package static let summary = "Elasticsearch and OpenSearch, by the bulk API."

        package var url = ""
        package var urls: [WeightedURL] = []
        package var index: ValueOrExpression = ""
        package var id: ValueOrExpression = ""
        package var action = Action.create
        package var pipeline = ""
        package var auth: Auth?
        package var tls: TLSSettings?
        package var compress = HTTPCompression.none
        package var maxBody = ByteCount.megabytes(4)
        package var maxEvents = 10_000
        package var flush = Duration.seconds(1)
        package var concurrency = 5
        package var timeout = Duration.seconds(30)

        package init() {}

        package static let fields: [Field<Self>] =
            addressFields(
                "A node; without a path, `/_bulk` is added.", examples: ["https://es.example:9200"],
                several: "Several nodes that share the load.",
                severalExamples: ["[{ url: \"http://10.0.0.1:9200\" }, { url: \"http://10.0.0.2:9200\" }]"])
            + [
                field(
                    "index", \.index, required: true, examples: ["logs-weir", "{ expr: \"'logs-' + event.app\" }"],
                    "Index or data stream."),
                field(
                    "id", \.id, examples: ["{ expr: \"event.id\" }"],
                    "`_id` of the document, so that a repeated batch makes no duplicates. Needs an expression."),
                field("action", \.action, "How documents are written."),
                field("pipeline", \.pipeline, check: HTTPShared.isQueryValue, "Ingest pipeline."),
                field("auth", \.auth, "Who we are."),
            ] + sendingFields(maxEvents: 1...100_000)

        package func mistakes() -> [SettingMistake] {
            var mistakes = urlMistakes()
            if case .value(let text) = id, !text.isEmpty {
                mistakes.append(
                    SettingMistake(
                        "id", "one `id` for all events would leave one document", help: "write `{ expr: \"event.id\" }`"
                    ))
            }
            return mistakes
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let addresses = addresses(&planning)
            HTTPShared.check(secret: auth?.bearer, key: "auth.bearer", &planning)
            HTTPShared.check(secret: auth?.apiKey, key: "auth.api_key", &planning)
            let index = index.compile(&planning)
            let id = id.compile(&planning)
            guard !planning.hasErrors, let index else { return nil }
            let means = planning.means
            let body = BulkBody(action: action, index: index, id: id)
            var query = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
            if !pipeline.isEmpty { query += "&pipeline=" + pipeline }
            let headers = auth?.header.map { [("Authorization", $0)] } ?? []
            let endpoints = addresses.map { address, weight in
                let path = address.isBare ? "/_bulk" : address.target
                let target = target(
                    address.with(target: path + (path.contains("?") ? "&" : "?") + query),
                    contentType: "application/x-ndjson", headers: headers, secrets: auth?.secrets ?? [])
                return EndpointPlan(name: address.with(target: path).name, weight: weight) { _ in
                    ElasticsearchDestination(endpoint: HTTPEndpoint(target: target, means: means), body: body)
                }
            }
            return .receiver(DestinationPlan(shape: shape(joinsContexts: false), endpoints: endpoints))
        }
    }

    private let endpoint: HTTPEndpoint
    private let body: BulkBody

    init(endpoint: HTTPEndpoint, body: BulkBody) {
        self.endpoint = endpoint
        self.body = body
    }

    package func open() async throws(DeliveryFailure) { try await endpoint.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let encoded = body.encode(batches)
        if encoded.indices.isEmpty { return DeliveryReport(rejected: encoded.rejected()) }
        let answer = try await endpoint.deliver(
            encoded.bytes, answerBytesMost: HTTPFamily.answerBytesMost + 1_024 * encoded.indices.count)
        guard let report = BulkAnswer.report(answer.body, action: body.action, indices: encoded.indices) else {
            throw .busy(Reason("bad_answer", "\(endpoint.peer) answers with something that is no bulk answer."))
        }
        return DeliveryReport(rejected: encoded.rejected(report.rejected), postponed: report.postponed)
    }

    package func close() async {}
}
