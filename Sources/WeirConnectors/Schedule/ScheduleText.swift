package import WeirGates
package import WeirSettings
import WeirWorld

/// What an operator writes after `schedule:`: a period or a cron expression, which is told by its form.
package enum ScheduleText: Sendable, Hashable {
    case period(Period)
    /// Checked, but without its time zone, which is a setting of its own.
    case cron(String)

    static let help = "write a period such as `PT5H` or `30m`, a cron expression such as `0 4 * * *`, or `0`"

    /// A period as OpenCTI takes it; also as Weir writes durations elsewhere (`5h`, `1h30m`); or cron.
    /// - Throws: what was wrong and what to write instead.
    package init(text: String) throws(UnitTextProblem) {
        if text.hasPrefix("@") || Self.hasFields(text) {
            _ = try CronExpression(text)
            self = .cron(text)
            return
        }
        let problem: UnitTextProblem
        do throws(UnitTextProblem) {
            self = .period(try Period(iso: text))
            return
        } catch { problem = error }
        if text.first == "-", (try? Duration(text: String(text.dropFirst()))) != nil {
            throw UnitTextProblem("a period cannot be negative", help: Self.help)
        }
        // `5h` and its like: OpenCTI refuses them, so nothing is read in two ways.
        guard let duration = try? Duration(text: text), text.first != "P", text.first != "p" else { throw problem }
        self = .period(try Period(seconds: duration.inSeconds))
    }

    /// `0 4 * * *`, also with a field too few or too many, so that the complaint is about cron.
    private static func hasFields(_ text: String) -> Bool {
        let fields = text.prefix(300).split(separator: " ")
        return fields.count >= 4 && !text.contains(":")
    }
}

extension ScheduleText: CustomStringConvertible {
    package var description: String {
        switch self {
        case .period(let period): period.isoText
        case .cron(let text): text
        }
    }
}

extension ScheduleText: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> ScheduleText? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a period or a cron expression", help: help)
            return nil
        }
        do throws(UnitTextProblem) {
            // A plain number is a number of seconds, as where OpenCTI's configuration holds one.
            if !scalar.isQuoted, scalar.text != "0", let seconds = Double(scalar.text), scalar.text.utf8.count < 20 {
                return .period(try Period(seconds: seconds))
            }
            return try ScheduleText(text: scalar.text)
        } catch {
            reading.problem(
                "\(reading.subject) must be a period or a cron expression: \(error.message)", at: node.origin,
                help: error.help)
            return nil
        }
    }
    package static var shape: SettingShape { .either([.text, .wholeNumber]) }
    package var plain: PlainValue { .text(description) }
}
