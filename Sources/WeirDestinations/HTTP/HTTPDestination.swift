import NIOCore
import NIOHTTP1
package import WeirCalls
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

    package struct Settings: HTTPSendingSettings {
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

        package static let fields: [Field<Self>] =
            addressFields(
                "Where requests go.", examples: ["http://10.0.0.5/in"],
                several: "Several receivers that share the load.",
                severalExamples: ["[{ url: \"http://10.0.0.5/in\", weight: 2 }, { url: \"http://10.0.0.6/in\" }]"])
            + [
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
                    "content_type", \.contentType, check: HeaderRules.isValue,
                    "Instead of the format's own: `application/x-ndjson`, `application/json`, `text/plain`."),
                field("auth", \.auth, "Who we are."),
            ] + sendingFields()

        package func mistakes() -> [SettingMistake] {
            var mistakes = urlMistakes()
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
            let addresses = addresses(&planning)
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
                var target = target(
                    address, contentType: contentType.isEmpty ? format.contentType : contentType, headers: headers,
                    secrets: (auth?.secrets ?? []) + secret.map(\.value.text))
                target.method = HTTPMethod(rawValue: method.rawValue)
                return EndpointPlan(name: address.name, weight: weight) { [target] _ in
                    HTTPDestination(
                        endpoint: HTTPEndpoint(target: target, means: means), format: format, template: template)
                }
            }
            return .receiver(DestinationPlan(shape: shape(joinsContexts: true), endpoints: endpoints))
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
            let texts = HTTPBody.template(batches, template)
            (body, failed) = (texts.bytes, texts.failed)
            if texts.indices.isEmpty { return DeliveryReport(rejected: failed) }
        }
        _ = try await endpoint.deliver(body)
        return DeliveryReport(rejected: failed)
    }

    package func close() async {}
}
