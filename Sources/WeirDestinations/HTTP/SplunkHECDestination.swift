import NIOCore
package import WeirCalls
package import WeirFlow
package import WeirGates
package import WeirSettings
import WeirWires
import WeirWorld

/// Splunk's HTTP Event Collector: one JSON envelope per event, many in a request.
///
/// Holds back as `http` does. Delivered means a 2xx, which with Splunk means "in its pipeline"; with `acknowledge` it
/// means that the indexers have it (`HECChannel`). Beyond the family's table the body's `code` decides for a 400:
///
/// | code | meaning | failure |
/// | --- | --- | --- |
/// | 5, 6, 12, 13, 15 with `invalid-event-number` | one is bad | it is rejected, the others are sent again |
/// | 7 with a fixed `index`; 10, 11, 14, 16 | the settings are wrong | misconfigured |
/// | all else | | rejected: the batch is split |
///
/// Source: Splunk, "Troubleshoot HTTP Event Collector", possible error codes.
package final class SplunkHECDestination: Destination {
    package struct Settings: HTTPSendingSettings {
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
        package var acknowledge = false
        package var ackTimeout = Duration.seconds(180)

        package init() {}

        package static let fields: [Field<Self>] =
            addressFields(
                "The collector; without a path, `/services/collector/event` is added.",
                examples: ["https://splunk.example:8088"], several: "Several collectors that share the load.",
                severalExamples: ["[{ url: \"https://a.example:8088\" }, { url: \"https://b.example:8088\" }]"])
            + [
                field("token", \.token, required: true, "The collector's token."),
                field("index", \.index, examples: ["main", "{ expr: \"event.team\" }"], "Index of the events."),
                field("source", \.source, "Their source; the name of Weir's source by default."),
                field("sourcetype", \.sourcetype, "Their source type."),
                field("host", \.host, examples: ["{ expr: \"event.host\" }"], "Their host."),
                field(
                    "acknowledge", \.acknowledge,
                    "Wait for Splunk's indexer acknowledgement: delivered then means indexed, not only taken. The "
                        + "token must allow it. A request is in flight until it is acknowledged, so `concurrency` "
                        + "wants to be larger."),
                field(
                    "ack_timeout", \.ackTimeout, range: .seconds(1)...(.seconds(3_600)),
                    "With `acknowledge`: how long to wait for it. Then the events are sent again, and may be there "
                        + "twice; such a retry has the reason `ack_timeout`."),
            ] + sendingFields()

        package func mistakes() -> [SettingMistake] { urlMistakes() }

        package func plan(_ planning: inout DestinationPlanning) -> DestinationOutline? {
            let addresses = addresses(&planning)
            HTTPShared.check(secret: token, key: "token", &planning)
            let envelope = HECEnvelope(
                index: index.compile(&planning), source: source.compile(&planning),
                sourcetype: sourcetype.compile(&planning),
                host: host.compile(&planning))
            if planning.hasErrors { return nil }
            let means = planning.means
            let endpoints = addresses.map { address, weight in
                let place = address.isBare ? address.with(target: "/services/collector/event") : address
                let target = target(
                    place, contentType: "application/json", headers: [("Authorization", "Splunk \(token.text)")],
                    secrets: [token.text])
                return EndpointPlan(name: place.name, weight: weight) { _ in
                    endpoint(target, envelope, means)
                }
            }
            var shape = shape(joinsContexts: false)
            if acknowledge { shape.timeout += ackTimeout }
            return .receiver(DestinationPlan(shape: shape, endpoints: endpoints))
        }

        private func endpoint(
            _ target: HTTPEndpoint.Target, _ envelope: HECEnvelope, _ means: DestinationMeans
        ) -> SplunkHECDestination {
            guard acknowledge else {
                return SplunkHECDestination(
                    endpoint: HTTPEndpoint(target: target, means: means), envelope: envelope, channel: nil)
            }
            // A new one for each endpoint and start: acknowledgements of an earlier run are not asked for.
            let name = HECChannel.name(means.world.random)
            var sending = target
            sending.headers.append((HECChannel.header, name))
            var asking = sending
            asking.address = HECChannel.place(for: target.address, channel: name)
            asking.compression = .none
            return SplunkHECDestination(
                endpoint: HTTPEndpoint(target: sending, means: means), envelope: envelope,
                channel: HECChannel(
                    endpoint: HTTPEndpoint(target: asking, means: means), world: means.world, patience: ackTimeout))
        }
    }

    private let endpoint: HTTPEndpoint
    private let envelope: HECEnvelope
    /// With indexer acknowledgement.
    private let channel: HECChannel?

    init(endpoint: HTTPEndpoint, envelope: HECEnvelope, channel: HECChannel?) {
        self.endpoint = endpoint
        self.envelope = envelope
        self.channel = channel
    }

    package func open() async throws(DeliveryFailure) { try await endpoint.open() }

    package func send(_ batch: Batch) async throws(DeliveryFailure) -> DeliveryReport { try await send([batch]) }

    package func send(_ batches: [Batch]) async throws(DeliveryFailure) -> DeliveryReport {
        let encoded = envelope.encode(batches)
        if encoded.indices.isEmpty { return DeliveryReport(rejected: encoded.rejected()) }
        let answer = try await endpoint.request(encoded.bytes)
        guard let failure = endpoint.failure(for: answer) else {
            if let channel { try await channel.wait(for: try number(in: answer)) }
            return DeliveryReport(rejected: encoded.rejected())
        }
        guard answer.status == 400, let said = HECAnswer(answer.body) else { throw failure }
        return try judge(said, failure, encoded)
    }

    private func number(in answer: HTTPEndpoint.Answer) throws(DeliveryFailure) -> UInt64 {
        guard let number = HECAnswer(answer.body)?.ackID else {
            throw .misconfigured(
                Reason(
                    "hec_no_ack",
                    "\(endpoint.peer) takes events but gives no `ackId`: allow indexer acknowledgement for the token, "
                        + "or take `acknowledge` out."))
        }
        return number
    }

    private func judge(
        _ said: HECAnswer, _ failure: DeliveryFailure, _ encoded: EventwiseBody
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
            rejected: encoded.rejected([(bad, reason)]),
            postponed: others.map { ($0, again) })
    }

    package func close() async {}
}

/// What a collector says in the body of its answer: `{"text":"Invalid data format","code":6,"invalid-event-number":3}`,
/// `{"text":"Success","code":0,"ackId":4}`.
struct HECAnswer {
    var code: Int
    var invalidEvent: Int?
    var ackID: UInt64?

    init?(_ body: ByteBuffer) {
        guard let value = AnswerJSON(body), let code = value.int("code") else { return nil }
        self.code = code
        invalidEvent = value.int("invalid-event-number")
        ackID = value.int("ackId").flatMap { UInt64(exactly: $0) }
    }
}
