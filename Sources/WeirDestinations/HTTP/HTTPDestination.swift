import NIOCore
import NIOHTTP1
package import WeirFlow
package import WeirGates
package import WeirSettings
import WeirWorld

/// Batches as bodies of HTTP requests (Cribl's Webhook).
///
/// Holds back when a request fails to connect, times out or is answered with a code that says "later", and when
/// `concurrency` requests are in flight. Delivered means a 2xx. Codes: `HTTPFamily`. Source: seeds/2, HTTP-Based
/// Destinations.
package final class HTTPDestination: Destination {
    package enum Method: String, SettingChoice, Sendable {
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
    }

    package struct Settings: DestinationSettings {
        package static let type = "http"
        package static let summary = "Batches as bodies of HTTP requests."

        package var url = ""
        package var urls: [WeightedURL] = []
        package var method = Method.post
        package var headers: [String: String] = [:]
        package var secretHeaders: [String: Secret] = [:]
        package var format = HTTPFormat.ndjson
        package var template: ExpressionText = ""
        package var contentType = ""
        package var auth: HTTPAuthSettings?
        package var tls: TLSSettings?
        package var compress = HTTPCompression.none
        package var maxBody = ByteCount.megabytes(4)
        package var maxEvents = 0
        package var flush = Duration.seconds(1)
        package var concurrency = 5
        package var timeout = Duration.seconds(30)

        package init() {}

        package static let fields: [Field<Self>] = [
            field("url", \.url, check: HTTPAddress.isURL, examples: ["http://10.0.0.5/in"], "Where requests go."),
            field(
                "urls", \.urls,
                examples: ["[{ url: \"http://10.0.0.5/in\", weight: 2 }, { url: \"http://10.0.0.6/in\" }]"],
                "Several receivers that share the load."),
            field("method", \.method, "Method of the requests."),
            field("headers", \.headers, examples: ["{ X-Tenant: blue }"], "Added to each request."),
            field(
                "secret_headers", \.secretHeaders, examples: ["{ X-Api-Key: { env: API_KEY } }"],
                "Added to each request and never shown."),
            field("format", \.format, "How a batch becomes a body."),
            field(
                "template", \.template, examples: ["'\"<\" + event.host + \"> \" + event.message'"],
                "With `format: template`: an expression that gives the text for one event."),
            field(
                "content_type", \.contentType, check: HTTPShared.isHeaderValue,
                "Instead of the format's own: `application/x-ndjson`, `application/json`, `text/plain`."),
            field("auth", \.auth, "Who we are."),
            field("tls", \.tls, "For `https://` URLs: own authority, client certificate."),
            field("compress", \.compress, "How bodies are packed."),
            field(
                "max_body", \.maxBody, range: .kilobytes(1)...(.megabytes(256)),
                "Most bytes of events in one request, before packing."),
            field("max_events", \.maxEvents, range: 0...10_000_000, "Most events in one request; 0 for no limit."),
            field(
                "flush", \.flush, range: .zero...(.seconds(600)),
                "How long to wait for more events before a request that is not full goes out."),
            field("concurrency", \.concurrency, range: 1...256, "Requests in flight before the gate holds back."),
            field("timeout", \.timeout, range: .milliseconds(10)...(.seconds(3_600)), "How long one request may take."),
        ]

        package func mistakes() -> [SettingMistake] {
            var mistakes = HTTPShared.mistakes(url: url, urls: urls)
            if format == .template, template.isEmpty {
                mistakes.append(
                    SettingMistake(
                        "format", "`format: template` needs `template`", help: "write an expression that gives text"))
            }
            if format != .template, !template.isEmpty {
                mistakes.append(
                    SettingMistake(
                        "template", "`template` is used only with `format: template`",
                        help: "take it out or change `format`"))
            }
            return mistakes
        }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let addresses = HTTPShared.addresses(url: url, urls: urls, tls: tls, &planning)
            let plain = headers.sorted { $0.key < $1.key }
            let secret = secretHeaders.sorted { $0.key < $1.key }
            HTTPShared.check(headers: plain.map(\.key), values: plain.map(\.value), key: "headers", &planning)
            HTTPShared.check(
                headers: secret.map(\.key), values: secret.map(\.value.text), key: "secret_headers", &planning)
            HTTPShared.check(secret: auth?.bearer, key: "auth.bearer", &planning)
            let template = format == .template ? EventText.compile(template, &planning) : nil
            if planning.hasErrors { return nil }
            let means = planning.means
            let format = format
            let headers =
                plain.map { ($0.key, $0.value) } + secret.map { ($0.key, $0.value.text) }
                + (auth?.header.map { [("Authorization", $0)] } ?? [])
            let endpoints = addresses.map { address, weight in
                let target = HTTPEndpoint.Target(
                    address: address, method: HTTPMethod(rawValue: method.rawValue), headers: headers,
                    contentType: contentType.isEmpty ? format.contentType : contentType, compression: compress,
                    tls: tls,
                    timeout: timeout, secrets: (auth?.secrets ?? []) + secret.map(\.value.text))
                return EndpointPlan(name: address.name, weight: weight) { _ in
                    HTTPDestination(
                        endpoint: HTTPEndpoint(target: target, means: means), format: format, template: template)
                }
            }
            let shape = DeliveryShape(
                bytesMost: maxBody.asInt, eventsMost: maxEvents == 0 ? .max : maxEvents, linger: flush,
                concurrency: concurrency, timeout: timeout, joinsContexts: true)
            return .receiver(DestinationPlan(shape: shape, endpoints: endpoints))
        }
    }

    private let endpoint: HTTPEndpoint
    private let format: HTTPFormat
    private let template: EventText?

    init(endpoint: HTTPEndpoint, format: HTTPFormat, template: EventText?) {
        self.endpoint = endpoint
        self.format = format
        self.template = template
    }

    package func open() async throws(DeliveryFailure) { try await endpoint.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        if batches.allSatisfy(\.isEmpty) { return .delivered }
        var failed: [(index: Int, reason: Reason)] = []
        let body: ByteBuffer
        switch format {
        case .ndjson: body = HTTPBody.ndjson(batches)
        case .jsonArray: body = HTTPBody.jsonArray(batches)
        case .raw: body = HTTPBody.raw(batches)
        case .template:
            guard let template else {
                throw .misconfigured(Reason("no_template", "`format: template` needs `template`."))
            }
            (body, failed) = HTTPBody.template(batches, template)
            if body.readableBytes == 0 { return DeliveryReport(rejected: failed) }
        }
        _ = try await endpoint.deliver(body)
        return DeliveryReport(rejected: failed)
    }

    package func close() async {}
}
