internal import FoundationEssentials

/// Where `event` rules tell of identities: a URL that takes JSON.
package struct WebhookChannel: EventChannel {
    private let url: String
    private let token: String
    private let timeout: Duration
    private let sender: HTTPClientSender

    package init(url: String, token: String, timeout: Duration, sender: HTTPClientSender) {
        self.url = url
        self.token = token
        self.timeout = timeout
        self.sender = sender
    }

    private struct Event: Encodable {
        var rule: String
        var name: String
        var values: [String: [String]]
    }

    package func tell(_ event: Change, rule: String, secrets: [String: String]) async -> WriteAnswer {
        var values = Dictionary(
            event.edits.map { ($0.attribute, $0.adds) }, uniquingKeysWith: { first, _ in first })
        for (name, secret) in secrets { values[name] = [secret] }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(Event(rule: rule, name: event.name, values: values)) else {
            return .refused(code: "bad_event", text: "The event cannot be written as JSON.")
        }
        let failure = await sender.post(
            String(decoding: bytes, as: UTF8.self), to: url, token: token, timeout: timeout)
        return failure.map { .failed(code: "channel", text: $0) } ?? .written(anchor: nil)
    }
}
