package import WeirGates
package import WeirSettings

extension QueueThreshold: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> QueueThreshold? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a number of MB", help: help)
            return nil
        }
        do throws(UnitTextProblem) {
            return try QueueThreshold(text: scalar.text)
        } catch {
            reading.problem(
                "\(reading.subject) must be a number of MB: \(error.message)", at: node.origin, help: error.help)
            return nil
        }
    }
    package static var shape: SettingShape { .either([.number, .text]) }
    package var plain: PlainValue {
        bytes.bytes % 1_000_000 == 0 ? .whole(Int(bytes.bytes / 1_000_000)) : .number(megabytes)
    }
}
