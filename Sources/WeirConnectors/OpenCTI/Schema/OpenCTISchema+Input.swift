internal import WeirExpressions
internal import WeirWorld

/// What connectors send, read leniently: members that Weir does not know are passed over.
extension OpenCTISchema {
    static func registration(_ input: GraphValue) throws(GraphProblem) -> ConnectorRegistration {
        guard let id = input["id"]?.text, isGoodID(id) else {
            throw GraphProblem(
                .badInput,
                "`input.id` must be 1 to \(ConnectorTopology.idBytesMost) bytes of text without control characters: "
                    + "set CONNECTOR_ID.")
        }
        guard let name = input["name"]?.text, !name.isEmpty, name.utf8.count <= 1_024 else {
            throw GraphProblem(.badInput, "`input.name` must be 1 to 1,024 bytes of text: set CONNECTOR_NAME.")
        }
        var scope: [String] = []
        for element in input["scope"]?.elements ?? [] {
            guard let text = element.text else {
                throw GraphProblem(.badInput, "`input.scope` must be a list of texts: set CONNECTOR_SCOPE.")
            }
            scope.append(text)
        }
        var registration = ConnectorRegistration(
            id: id, name: name, type: input["type"]?.text ?? "EXTERNAL_IMPORT", scope: scope)
        registration.isAutomatic = input["auto"]?.flag ?? false
        registration.version = input["version"]?.text
        return registration
    }

    private static func isGoodID(_ id: String) -> Bool {
        (1...ConnectorTopology.idBytesMost).contains(id.utf8.count) && id.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    static func report(_ input: GraphValue) throws(GraphProblem) -> ConnectorReport {
        var report = ConnectorReport()
        report.isRunAndTerminate = input["run_and_terminate"]?.flag ?? false
        report.isBuffering = input["buffering"]?.flag ?? false
        report.queueThreshold = try megabytes(input, "queue_threshold") ?? report.queueThreshold
        report.queueSize = try megabytes(input, "queue_messages_size") ?? report.queueSize
        report.nextRun = try time(input, "next_run_datetime")
        report.lastRun = try time(input, "last_run_datetime")
        return report
    }

    private static func megabytes(_ input: GraphValue, _ name: String) throws(GraphProblem) -> Double? {
        guard let value = input[name], !value.isNull else { return nil }
        guard let number = value.decimal else {
            throw GraphProblem(
                .badInput,
                "`connectorInfo.\(name)` must be a number of MB, as 500 or 0.5: look at CONNECTOR_QUEUE_THRESHOLD.")
        }
        return number
    }

    private static func time(_ input: GraphValue, _ name: String) throws(GraphProblem) -> WallTime? {
        guard let value = input[name], !value.isNull, value.text != "" else { return nil }
        guard let text = value.text, let time = ClientTime.read(text) else {
            throw GraphProblem(.badInput, "`connectorInfo.\(name)` must be a time such as 2026-11-20T23:07:41Z.")
        }
        return time
    }
}

/// Dates as pycti's versions write them: `2026-11-20T23:07:41Z`, with or without a fraction; an offset in place of `Z`,
/// or none (then it is UTC).
enum ClientTime {
    /// Two of them come with each ping, so it must be quick: a regular expression was half of what a ping costs.
    static func read(_ text: String) -> WallTime? {
        var text = text
        var zone = text.utf8.dropFirst("2026-11-20T23:07:41".utf8.count)
        zone = zone.drop { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        if zone.isEmpty {
            text += "Z"
        } else if zone.count == "+0100".utf8.count {
            text.insert(":", at: text.index(text.endIndex, offsetBy: -2))
        }
        guard let wall = Instant(rfc3339: text)?.wall, range.contains(wall) else { return nil }
        return wall
    }

    private static let range =
        CivilDate.wall(year: 1_700, month: 1, day: 1)...CivilDate.wall(year: 2_200, month: 12, day: 31)
}
