import NIOCore
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

    package struct Settings: DestinationSettings {
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

        package static let fields: [Field<Self>] = [
            field(
                "url", \.url, check: HTTPAddress.isURL, examples: ["https://es.example:9200"],
                "A node; without a path, `/_bulk` is added."),
            field(
                "urls", \.urls, examples: ["[{ url: \"http://10.0.0.1:9200\" }, { url: \"http://10.0.0.2:9200\" }]"],
                "Several nodes that share the load."),
            field(
                "index", \.index, required: true, examples: ["logs-weir", "{ expr: \"'logs-' + event.app\" }"],
                "Index or data stream."),
            field(
                "id", \.id, examples: ["{ expr: \"event.id\" }"],
                "`_id` of the document, so that a repeated batch makes no duplicates. Needs an expression."),
            field("action", \.action, "How documents are written."),
            field("pipeline", \.pipeline, check: HTTPShared.isQueryValue, "Ingest pipeline."),
            field("auth", \.auth, "Who we are."),
            field("tls", \.tls, "For `https://` URLs: own authority, client certificate."),
            field("compress", \.compress, "How bodies are packed."),
            field(
                "max_body", \.maxBody, range: .kilobytes(1)...(.megabytes(256)),
                "Most bytes of events in one request, before packing."),
            field("max_events", \.maxEvents, range: 1...100_000, "Most events in one request."),
            field(
                "flush", \.flush, range: .zero...(.seconds(600)),
                "How long to wait for more events before a request that is not full goes out."),
            field("concurrency", \.concurrency, range: 1...256, "Requests in flight before the gate holds back."),
            field("timeout", \.timeout, range: .milliseconds(10)...(.seconds(3_600)), "How long one request may take."),
        ]

        package func mistakes() -> [SettingMistake] {
            var mistakes = HTTPShared.mistakes(url: url, urls: urls)
            if case .value(let text) = id, !text.isEmpty {
                mistakes.append(
                    SettingMistake(
                        "id", "one `id` for all events would leave one document", help: "write `{ expr: \"event.id\" }`"
                    ))
            }
            return mistakes
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let addresses = HTTPShared.addresses(url: url, urls: urls, tls: tls, &planning)
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
                let target = HTTPEndpoint.Target(
                    address: address.with(target: path + (path.contains("?") ? "&" : "?") + query), headers: headers,
                    contentType: "application/x-ndjson", compression: compress, tls: tls, timeout: timeout,
                    secrets: auth?.secrets ?? [])
                return EndpointPlan(name: address.with(target: path).name, weight: weight) { _ in
                    ElasticsearchDestination(endpoint: HTTPEndpoint(target: target, means: means), body: body)
                }
            }
            let shape = DeliveryShape(
                bytesMost: maxBody.asInt, eventsMost: maxEvents, linger: flush, concurrency: concurrency,
                timeout: timeout,
                joinsContexts: false)
            return .receiver(DestinationPlan(shape: shape, endpoints: endpoints))
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
        if encoded.indices.isEmpty { return DeliveryReport(rejected: encoded.failed) }
        let answer = try await endpoint.deliver(
            encoded.bytes, answerBytesMost: HTTPFamily.answerBytesMost + 1_024 * encoded.indices.count)
        guard let report = BulkAnswer.report(answer.body, action: body.action, indices: encoded.indices) else {
            throw .busy(Reason("bad_answer", "\(endpoint.peer) answers with something that is no bulk answer."))
        }
        return DeliveryReport(
            rejected: (encoded.failed + report.rejected).sorted { $0.index < $1.index }, postponed: report.postponed)
    }

    package func close() async {}
}

/// The body of a bulk request: an action line and a document line per event.
struct BulkBody: Sendable {
    var action: ElasticsearchDestination.Action
    var index: TextOfEvent
    var id: TextOfEvent?

    struct Encoded {
        var bytes = ByteBuffer()
        /// Which event of the batches the n-th item is.
        var indices: [Int] = []
        var failed: [(index: Int, reason: Reason)] = []
    }

    func encode(_ batches: [Batch]) -> Encoded {
        var encoded = Encoded()
        encoded.bytes.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount + $1.count * 64 })
        let fixed = fixedLine
        var base = 0
        for batch in batches {
            batch.slab.withUnsafeReadableBytes { all in
                for index in 0..<batch.count {
                    let event = UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)])
                    let start = encoded.bytes.writerIndex
                    do throws(EventText.Failure) {
                        if let fixed {
                            encoded.bytes.writeImmutableBuffer(fixed)
                        } else {
                            try writeLine(event, batch.context, &encoded.bytes)
                        }
                        EventJSON.write(event, of: batch.context, to: &encoded.bytes)
                        encoded.bytes.writeInteger(0x0A as UInt8)
                        encoded.indices.append(base + index)
                    } catch {
                        encoded.bytes.moveWriterIndex(to: start)
                        encoded.failed.append((base + index, Reason("expression_failed", error.sentence)))
                    }
                }
            }
            base += batch.count
        }
        return encoded
    }

    /// The action line when it is the same for all events.
    private var fixedLine: ByteBuffer? {
        guard case .fixed(let index) = index, id == nil else { return nil }
        var line = ByteBuffer()
        line.writeString("{\"\(action.rawValue)\":{\"_index\":")
        JSONText.write(index, to: &line)
        line.writeStaticString("}}\n")
        return line
    }

    private func writeLine(
        _ event: UnsafeRawBufferPointer, _ context: BatchContext, _ bytes: inout ByteBuffer
    ) throws(EventText.Failure) {
        bytes.writeString("{\"\(action.rawValue)\":{\"_index\":")
        JSONText.write(try index.text(event, of: context), to: &bytes)
        if let id {
            bytes.writeStaticString(",\"_id\":")
            JSONText.write(try id.text(event, of: context), to: &bytes)
        }
        bytes.writeStaticString("}}\n")
    }
}

enum BulkAnswer {
    private static let allWell = Array("\"errors\":false".utf8)

    /// - Returns: `nil` when it is no bulk answer for so many items.
    static func report(
        _ body: ByteBuffer, action: ElasticsearchDestination.Action, indices: [Int]
    ) -> DeliveryReport? {
        // The common case is told by the first bytes; the items need not be read.
        let head = body.readableBytesView.prefix(256)
        if head.first == UInt8(ascii: "{"), head.indices.contains(where: { head[$0...].starts(with: allWell) }) {
            return .delivered
        }
        guard let answer = AnswerJSON(body) else { return nil }
        if answer.bool("errors") == false { return .delivered }
        guard let items = answer.items("items"), items.count == indices.count else { return nil }
        var report = DeliveryReport()
        for (item, index) in zip(items, indices) {
            guard let status = item.int("status") else { return nil }
            switch status {
            case 200...299: break
            case 409 where action == .create: break
            case 429, 500...599: report.postponed.append((index, reason(status, item)))
            default: report.rejected.append((index, reason(status, item)))
            }
        }
        return report
    }

    private static func reason(_ status: Int, _ item: AnswerJSON) -> Reason {
        let error = item.object("error")
        let said = [error?.text("type"), error?.text("reason")].compactMap { $0 }.joined(separator: ": ")
        let text = AnswerText.clean(ByteBuffer(string: said), secrets: [])
        // The code becomes a label: only statuses that HTTP has.
        let code = (400...599).contains(status) ? "item_\(status)" : "item_refused"
        return Reason(
            code,
            text.isEmpty ? "The item was answered with \(status)." : "The item was answered with \(status): \(text)")
    }
}
