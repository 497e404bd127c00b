import WeirSettings

/// The names that OpenCTI's connectors read, for those that Weir runs: what a connector does not set itself comes from
/// there.
struct ConnectorEnvironment: Sendable {
    private static let keys = [
        ("CONNECTOR_DURATION_PERIOD", "schedule"), ("CONNECTOR_QUEUE_THRESHOLD", "queue_threshold"),
    ]

    private let values: [(variable: String, key: String, value: String)]

    init(_ environment: [String: String]) {
        values = Self.keys.compactMap { variable, key in environment[variable].map { (variable, key, $0) } }
    }

    /// - Parameter node: the whole configuration.
    func overlay(_ node: SettingNode) -> SettingNode {
        guard !values.isEmpty, case .map(var entries) = node.content,
            let place = entries.firstIndex(where: { $0.key == "connectors" }),
            case .map(var connectors) = entries[place].value.content
        else { return node }
        for index in connectors.indices {
            guard case .map(var own) = connectors[index].value.content else { continue }
            for value in values where !own.contains(where: { $0.key == value.key }) {
                let origin = SettingOrigin.environment(value.variable)
                own.append(
                    SettingEntry(key: value.key, keyOrigin: origin, value: .text(value.value, origin: origin)))
            }
            connectors[index].value.content = .map(own)
        }
        entries[place].value.content = .map(connectors)
        var node = node
        node.content = .map(entries)
        return node
    }
}
