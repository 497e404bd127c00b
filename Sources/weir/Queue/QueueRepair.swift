import ArgumentParser
import WeirNode
import WeirStore

extension QueueCommand {
    struct Repair: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put damage aside, so that it is met only once.",
            discussion: """
                EXAMPLES:
                  weir queue repair siem
                  weir queue repair siem --dead-letters
                """)
        @Argument(help: "Name of the destination.") var name: String
        @OptionGroup var options: Options

        func run() throws {
            try options.check(name)
            let report = try options.shelf.repair(name, options.part)
            let lost = report.damages.reduce(0) { $0 + ($1.events ?? 0) }
            Terminal.out.line(
                report.isClean
                    ? "\(name): nothing to repair, \(report.events) events in \(report.segments) segments"
                    : "\(name): \(report.damages.count) damaged ranges with \(lost) events and \(report.tornBytes) "
                        + "torn bytes put aside; "
                        + "\(report.events) events are left")
        }
    }
}
