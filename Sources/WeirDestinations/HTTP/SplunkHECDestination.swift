import NIOCore
package import WeirFlow
package import WeirGates
package import WeirSettings
import WeirWires
import WeirWorld

/// Splunk's HTTP Event Collector: one JSON envelope per event, many in a request.
///
/// Holds back as `http` does. Delivered means a 2xx, which with Splunk means "in its pipeline"; its acknowledgement
/// channel is not used. Beyond the family's table the body's `code` decides for a 400:
///
/// | code | meaning | failure |
/// | --- | --- | --- |
/// | 5, 6, 12, 13, 15 with `invalid-event-number` | one is bad | it is rejected, the others are sent again |
/// | 7 with a fixed `index`; 10, 11, 14, 16 | the settings are wrong | misconfigured |
/// | all else | | rejected: the batch is split |
///
/// Source: Splunk, "Troubleshoot HTTP Event Collector", possible error codes.
package final class SplunkHECDestination: Destination {
    package struct Settings: DestinationSettings {
        package static let type = "splunk_hec"
        package static let aliases = ["hec", "splunk"]
        package static let summary = "Splunk's HTTP Event Collector."

        package var url = ""
        package var urls: [WeightedURL] = []
        package var token = Secret()
        package var index: ValueOrExpression = ""
        package var source: ValueOrExpression = ""
        package var sourcetype: ValueOrExpression = ""
        package var host: ValueOrExpression = ""
        package var tls: TLSSettings?
        package var compress = HTTPCompression.gzip
        package var maxBody = ByteCount.megabytes(1)
        package var maxEvents = 0
        package var flush = Duration.seconds(1)
        package var concurrency = 5
        package var timeout = Duration.seconds(30)

        package init() {}

        package static let fields: [Field<Self>] = [
            field(
                "url", \.url, check: HTTPAddress.isURL, examples: ["https://splunk.example:8088"],
                "The collector; without a path, `/services/collector/event` is added."),
            field(
                "urls", \.urls,
                examples: ["[{ url: \"https://a.example:8088\" }, { url: \"https://b.example:8088\" }]"],
                "Several collectors that share the load."),
            field("token", \.token, required: true, "The collector's token."),
            field("index", \.index, examples: ["main", "{ expr: \"event.team\" }"], "Index of the events."),
            field("source", \.source, "Their source; the name of Weir's source by default."),
            field("sourcetype", \.sourcetype, "Their source type."),
            field("host", \.host, examples: ["{ expr: \"event.host\" }"], "Their host."),
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

        package func mistakes() -> [SettingMistake] { HTTPShared.mistakes(url: url, urls: urls) }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let addresses = HTTPShared.addresses(url: url, urls: urls, tls: tls, &planning)
            HTTPShared.check(secret: token, key: "token", &planning)
            let envelope = HECEnvelope(
                index: index.compile(&planning), source: source.compile(&planning),
                sourcetype: sourcetype.compile(&planning),
                host: host.compile(&planning))
            if planning.hasErrors { return nil }
            let means = planning.means
            let endpoints = addresses.map { address, weight in
                let place = address.isBare ? address.with(target: "/services/collector/event") : address
                let target = HTTPEndpoint.Target(
                    address: place, headers: [("Authorization", "Splunk \(token.text)")],
                    contentType: "application/json",
                    compression: compress, tls: tls, timeout: timeout, secrets: [token.text])
                return EndpointPlan(name: place.name, weight: weight) { _ in
                    SplunkHECDestination(endpoint: HTTPEndpoint(target: target, means: means), envelope: envelope)
                }
            }
            let shape = DeliveryShape(
                bytesMost: maxBody.asInt, eventsMost: maxEvents == 0 ? .max : maxEvents, linger: flush,
                concurrency: concurrency,
                timeout: timeout, joinsContexts: false)
            return .receiver(DestinationPlan(shape: shape, endpoints: endpoints))
        }
    }

    private let endpoint: HTTPEndpoint
    private let envelope: HECEnvelope

    init(endpoint: HTTPEndpoint, envelope: HECEnvelope) {
        self.endpoint = endpoint
        self.envelope = envelope
    }

    package func open() async throws(DeliveryFailure) { try await endpoint.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let encoded = envelope.encode(batches)
        if encoded.indices.isEmpty { return DeliveryReport(rejected: encoded.failed) }
        let answer = try await endpoint.request(encoded.body)
        guard let failure = endpoint.failure(for: answer) else { return DeliveryReport(rejected: encoded.failed) }
        guard answer.status == 400, let said = HECAnswer(answer.body) else { throw failure }
        return try judge(said, failure, encoded)
    }

    private func judge(
        _ said: HECAnswer, _ failure: DeliveryFailure, _ encoded: HECEnvelope.Encoded
    ) throws(DeliveryFailure) -> DeliveryReport {
        let isOurs = [10, 11, 14, 16].contains(said.code) || (said.code == 7 && (envelope.index?.isFixed ?? true))
        if isOurs { throw .misconfigured(Reason("hec_\(said.code)", failure.reason.sentence)) }
        guard [5, 6, 7, 12, 13, 15].contains(said.code), let number = said.invalidEvent,
            encoded.indices.indices.contains(number)
        else {
            throw failure
        }
        let reason = Reason("hec_\(said.code)", failure.reason.sentence)
        let bad = encoded.indices[number]
        let others = encoded.indices.filter { $0 != bad }
        let again = Reason("hec_neighbour", "Another event of the request was refused; this one is sent again.")
        return DeliveryReport(
            rejected: (encoded.failed + [(bad, reason)]).sorted { $0.index < $1.index },
            postponed: others.map { ($0, again) })
    }

    package func close() async {}
}

/// What a collector says in the body of its answer: `{"text":"Invalid data format","code":6,"invalid-event-number":3}`.
struct HECAnswer {
    var code: Int
    var invalidEvent: Int?

    init?(_ body: ByteBuffer) {
        guard let value = AnswerJSON(body), let code = value.int("code") else { return nil }
        self.code = code
        invalidEvent = value.int("invalid-event-number")
    }
}

/// The envelope of the collector: `{"time":…,"host":…,"source":…,"sourcetype":…,"index":…,"event":…}`.
struct HECEnvelope: Sendable {
    var index: TextOfEvent?
    var source: TextOfEvent?
    var sourcetype: TextOfEvent?
    var host: TextOfEvent?

    struct Encoded {
        var body = ByteBuffer()
        /// Which event of the batches the n-th envelope holds.
        var indices: [Int] = []
        var failed: [(index: Int, reason: Reason)] = []
    }

    func encode(_ batches: [Batch]) -> Encoded {
        var encoded = Encoded()
        encoded.body.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount + $1.count * 80 })
        var base = 0
        for batch in batches {
            let head = "{\"time\":\(EpochText.seconds(batch.context.received))"
            let source = source ?? .fixed(batch.context.source)
            batch.slab.withUnsafeReadableBytes { all in
                for index in 0..<batch.count {
                    let event = UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)])
                    let start = encoded.body.writerIndex
                    do throws(EventText.Failure) {
                        encoded.body.writeString(head)
                        try write("host", host, event, batch.context, &encoded.body)
                        try write("source", source, event, batch.context, &encoded.body)
                        try write("sourcetype", sourcetype, event, batch.context, &encoded.body)
                        try write("index", self.index, event, batch.context, &encoded.body)
                        encoded.body.writeStaticString(",\"event\":")
                        HECEnvelope.writeEvent(event, batch.context, &encoded.body)
                        encoded.body.writeStaticString("}\n")
                        encoded.indices.append(base + index)
                    } catch {
                        encoded.body.moveWriterIndex(to: start)
                        encoded.failed.append((base + index, Reason("expression_failed", error.sentence)))
                    }
                }
            }
            base += batch.count
        }
        return encoded
    }

    // Text goes as a string, which Splunk shows as the raw event; JSON as an object.
    private static func writeEvent(_ event: UnsafeRawBufferPointer, _ context: BatchContext, _ body: inout ByteBuffer) {
        if context.kind == .json {
            EventJSON.write(event, of: context, to: &body)
        } else {
            JSONText.write(event, to: &body)
        }
    }

    private func write(
        _ name: StaticString, _ text: TextOfEvent?, _ event: UnsafeRawBufferPointer, _ context: BatchContext,
        _ body: inout ByteBuffer
    ) throws(EventText.Failure) {
        guard let text = try text?.text(event, of: context), !text.isEmpty else { return }
        body.writeStaticString(",\"")
        body.writeStaticString(name)
        body.writeStaticString("\":")
        JSONText.write(text, to: &body)
    }
}

enum EpochText {
    /// `1763726400.250`.
    static func seconds(_ wall: WallTime) -> String {
        let milliseconds = max(wall.nanoseconds, 0) / 1_000_000
        return "\(milliseconds / 1_000)." + CivilDate.padded(Int(milliseconds % 1_000), 3)
    }
}
