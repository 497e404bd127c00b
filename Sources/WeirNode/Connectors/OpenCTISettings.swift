package import WeirConnectors
package import WeirGates
package import WeirSettings

/// Where connectors written for OpenCTI come in. Absent: the door is closed.
package struct OpenCTISettings: Settings {
    package var tokens: [Secret] = []
    package var queueThreshold = QueueThreshold.standard
    package var hardLimit: ByteCount?
    package var hold = Duration.seconds(240)
    package var bundleMost = ByteCount(256_000_000)

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
    init(_ threshold: QueueThreshold, hardLimit: ByteCount?) {
        self.init(
            threshold: Limit(threshold.bytes.bytes, .bytes), hardLimit: hardLimit.map { Limit($0.bytes, .bytes) })
    }
}

extension NodeSettings {
    /// False where no ledger is needed.
    var hasConnectors: Bool { openCTI != nil }

    var connectorsSettings: ConnectorsSettings {
        var settings = ConnectorsSettings()
        if let openCTI {
            settings.marks = ConnectorGate.Marks(openCTI.queueThreshold, hardLimit: openCTI.hardLimit)
        }
        return settings
    }
}
