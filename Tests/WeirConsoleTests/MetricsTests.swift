import Foundation
import Testing
import WeirGates

@testable import WeirConsole

@Suite("Metrics")
struct MetricsTests {
    private func promtool(_ text: String) throws -> (status: Int32, output: String) {
        let tool = URL(fileURLWithPath: "/usr/bin/promtool")
        let process = Process()
        process.executableURL = tool
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, output)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    private static let hasPromtool = FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")

    @Test("promtool has nothing to say about them", .enabled(if: hasPromtool, "SKIPPED: apt-get install prometheus"))
    func promtoolIsContent() throws {
        var process = ProcessReading()
        process.take(
            stat: "7 (we (i) r) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 1000 52428800 2560 0 0",
            system: "btime 1700000000\n")
        process.take(
            limits:
                "Limit  Soft Hard Units\nMax open files            1024                 524288               files\n")
        let text = NodeMetrics.text(FakeNode.busy(), process: process)
        let result = try promtool(text)
        #expect(result.output == "")
        #expect(result.status == 0, "\(result.output)")
        let none = try promtool(NodeMetrics.text(FakeNode(), process: ProcessReading()))
        #expect(none.output == "")
    }

    @Test("The process is read from /proc, also with a name that looks like fields")
    func process() {
        var process = ProcessReading()
        process.take(
            stat: "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 1000 52428800 2560 0 0",
            system: "cpu 1\nbtime 1700000000\n")
        #expect(process.cpuSeconds == 3)
        #expect(process.residentBytes == 10_485_760)
        #expect(process.virtualBytes == 52_428_800)
        #expect(process.startSeconds == 1_700_000_010)
        process.take(stat: "garbage", system: "")
        #expect(process.cpuSeconds == 3)
    }

    @Test("A state is a set of which one is 1")
    func stateSet() {
        let text = NodeMetrics.text(FakeNode.busy(), process: ProcessReading())
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("weir_gate_state{gate=\"siem\"") }
        #expect(lines.count == GateState.allCases.count)
        #expect(lines.filter { $0.hasSuffix(" 1") } == ["weir_gate_state{gate=\"siem\",state=\"queueing\"} 1"])
    }

    @Test("Label values are escaped as the format wants")
    func escaping() {
        #expect(Exposition.Samples.escaped("a\\b\"c\nd{e}") == "a\\\\b\\\"c\\nd{e}")
    }

    @Test("The histogram is cumulative and ends with everything")
    func histogram() {
        let text = NodeMetrics.text(FakeNode.busy(), process: ProcessReading())
        for line in [
            "weir_delivery_seconds_bucket{gate=\"siem\",le=\"0.0025\"} 1",
            "weir_delivery_seconds_bucket{gate=\"siem\",le=\"0.025\"} 3",
            "weir_delivery_seconds_bucket{gate=\"siem\",le=\"60\"} 4",
            "weir_delivery_seconds_bucket{gate=\"siem\",le=\"+Inf\"} 5",
            "weir_delivery_seconds_count{gate=\"siem\"} 5",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
    }
}
