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
        report.queueThreshold = input["queue_threshold"]?.decimal ?? report.queueThreshold
        report.queueSize = input["queue_messages_size"]?.decimal ?? report.queueSize
        report.nextRun = try time(input, "next_run_datetime")
        report.lastRun = try time(input, "last_run_datetime")
        return report
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
    static func read(_ text: String) -> WallTime? {
        guard
            let match = text.wholeMatch(
                of: /(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?/)
        else { return nil }
        let numbers = [match.1, match.2, match.3, match.4, match.5, match.6].compactMap { Int($0) }
        guard numbers.count == 6, (1...12).contains(numbers[1]), (1...31).contains(numbers[2]), numbers[3] < 24,
            numbers[4] < 60, numbers[5] <= 60, (1_700...2_200).contains(numbers[0])
        else { return nil }
        let wall = CivilDate.wall(
            year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4],
            second: numbers[5], nanosecond: nanoseconds(match.7))
        return wall + .seconds(-offset(match.8))
    }

    private static func nanoseconds(_ fraction: Substring?) -> Int {
        guard let digits = fraction?.dropFirst(), let value = Int(digits) else { return 0 }
        return (digits.count..<9).reduce(value) { value, _ in value * 10 }
    }

    private static func offset(_ zone: Substring?) -> Int {
        guard let zone, zone != "Z" else { return 0 }
        let digits = zone.dropFirst().filter(\.isNumber)
        guard let hours = Int(digits.prefix(2)), let minutes = Int(digits.suffix(2)) else { return 0 }
        return (zone.hasPrefix("-") ? -1 : 1) * (hours * 3_600 + minutes * 60)
    }
}
