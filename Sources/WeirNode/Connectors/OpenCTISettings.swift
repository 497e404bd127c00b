internal import WeirConnectors
package import WeirGates
package import WeirSettings

/// Where connectors written for OpenCTI come in. Absent: the door is closed.
package struct OpenCTISettings: Settings {
    package var tokens: [Secret] = []
    package var queueThreshold = QueueThreshold.standard
    package var hardLimit: ByteCount?
    package var hold = Duration.seconds(240)
    package var bundleMost = ByteCount(256_000_000)
    package var connectionsMost = 1_000
    package var amqp = AMQPSettings()
    package var broker: BrokerEntry?
    package var management = ""
    package var connectors = SettingMap<WorkerSettings>()

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "tokens", \.tokens, required: true, examples: ["[ { file: /run/credentials/weir/opencti } ]"],
            "What connectors send as OPENCTI_TOKEN: any of these opens the door. OPENCTI_URL is the address of the "
                + "API."),
        field(
            "queue_threshold", \.queueThreshold, examples: ["500", "8.5"],
            "MB (1 000 000 bytes) in a connector's work queue from which on its gate is `buffering`. A connector "
                + "compares the size with its own CONNECTOR_QUEUE_THRESHOLD, which Weir cannot set."),
        field(
            "hard_limit", \.hardLimit, examples: ["1GB"],
            "Bytes in a connector's work queue from which on its pushes wait; twice the threshold unless set."),
        field(
            "hold", \.hold, range: .seconds(1)...(.seconds(240)),
            "How long the answer to a push by the API may be held; then the bundle is taken although its queue is over "
                + "the limit. A connector gives up after 300 s, and may end itself when it does."),
        field(
            "max_bundle", \.bundleMost, range: .megabytes(1)...(.gigabytes(2)),
            "The longest bundle that is taken. Memory does not grow with it."),
        field(
            "max_connections", \.connectionsMost, range: 10...100_000,
            "Connections of connectors to the API's address at once: each push that is held keeps one. Pages and "
                + "programs have others."),
        field("amqp", \.amqp, "Where connectors publish in their default mode, in place of a RabbitMQ."),
        field(
            "broker", \.broker, examples: ["amqp://weir@127.0.0.1:5672/"],
            "A RabbitMQ that connectors publish to, in place of Weir's own ingress: then `amqp` is not used. Weir "
                + "makes the queues and consumes them. Absent: no RabbitMQ is needed."),
        field(
            "management", \.management,
            check: { text in
                text.isEmpty || text.hasPrefix("http://") || text.hasPrefix("https://")
                    ? nil : "must be an `http://` or `https://` address"
            }, examples: ["http://127.0.0.1:15672"],
            "Address of the broker's management API, where the sizes of queues are read; `broker`'s host with port "
                + "15672, with TLS `https` and 15671, unless set. The user needs the tag `management`."),
        field(
            "connectors", \.connectors, examples: ["{ 6ba7b810-9dad-11d1-80b4-00c04fd430c8: { weight: 3 } }"],
            "What the workers do for single connectors, by CONNECTOR_ID."),
    ]

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        if let hardLimit, hardLimit < queueThreshold.bytes {
            mistakes.append(
                SettingMistake(
                    "hard_limit", "pushes would wait at \(hardLimit) before runs are put off at \(queueThreshold) MB",
                    help: "write at least as much as `queue_threshold`"))
        }
        for (index, token) in tokens.enumerated() where token.reference == .literal && token.text.isEmpty {
            mistakes.append(
                SettingMistake(
                    "tokens[\(index)]", "an empty token would let everybody in", help: "write a long random text"))
        }
        return mistakes
    }

    /// Whether a connector may come in with this. Every token is compared, each in the same time whatever it differs
    /// in.
    package func allows(_ given: String) -> Bool {
        var isAllowed = false
        for token in tokens where !token.text.isEmpty {
            var difference = UInt(bitPattern: token.text.utf8.count ^ given.utf8.count)
            for (left, right) in zip(token.text.utf8, given.utf8) { difference |= UInt(left ^ right) }
            if difference == 0 { isAllowed = true }
        }
        return isAllowed
    }
}

extension ConnectorGate.Marks {
    init(_ threshold: QueueThreshold, origin: String, hardLimit: ByteCount?) {
        self.init(
            threshold: Limit(threshold.bytes.bytes, .bytes, origin: origin),
            hardLimit: hardLimit.map { Limit($0.bytes, .bytes) })
    }
}
