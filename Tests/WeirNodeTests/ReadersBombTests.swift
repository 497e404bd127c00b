import Glibc
import Testing
import WeirGates
import WeirNode
import WeirSettings
import WeirWorld

@Suite("YAML bombs")
struct ReadersBombTests {
    /// Seconds of processor time that `body` takes on this thread; the wall clock would count the neighbours' work.
    private func seconds(_ body: () -> Void) -> Double {
        func spent() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let before = spent()
        body()
        return spent() - before
    }

    private static func laughs(levels: Int) -> String {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...levels {
            text += "a\(level): &a\(level) [" + (0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", ") + "]\n"
        }
        return text
    }

    static let bombs: [(String, String, String)] = [
        (
            "anchors", (0..<5_000).map { "- &a\($0) x\n" }.joined(),
            "there are more than 1000 anchors (`&name`) up to here"
        ),
        ("billion laughs", laughs(levels: 9), "the aliases in this file stand for more than 100000 values"),
        (
            "quadratic aliases",
            "a: &a [" + String(repeating: "x,", count: 5_000) + "]\nb: [" + String(repeating: "*a,", count: 5_000)
                + "]\n", "the aliases in this file stand for more than 100000 values"
        ),
        ("deep lists", String(repeating: "[", count: 100_000), "more than 64 levels are nested here"),
        ("deep maps", String(repeating: "{a: ", count: 100_000), "more than 64 levels are nested here"),
        (
            "deep blocks", (0..<2_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
            "more than 64 levels are nested here"
        ),
        (
            "deep through aliases",
            (1...70).map { "a\($0): &a\($0) " + ($0 == 1 ? "x" : "[*a\($0 - 1)]") }.joined(separator: "\n"),
            "more than 64 levels are nested here"
        ),
        (
            "many values", "a: [" + String(repeating: "1,", count: 2_000_000) + "]",
            "there are more than 100000 values up to here"
        ),
        (
            "merges",
            "a: &a {" + (0..<40_000).map { "k\($0): 1" }.joined(separator: ", ") + "}\nb: {<<: [*a, *a, *a]}\n",
            "the aliases in this file stand for more than 100000 values"
        ),
    ]

    @Test("A bomb is refused while it is read, at a line, in tens of milliseconds", arguments: bombs)
    func refusesBombs(name: String, text: String, message: String) throws {
        let bytes = Array(text.utf8)
        var result = YAMLReader.Result(node: nil, problems: [])
        let time = seconds { result = YAMLReader().read(bytes, file: "weir.yaml") }
        #expect(result.node == nil)
        #expect(result.problems.map(\.message) == [message])
        #expect(result.problems.first?.origin.place != nil)
        // 50 ms is the promise for a release build; this bound for a debug build on a busy machine only tells linear
        // from worse.
        #expect(time < 2.5, "\(name): \(time) s")
    }

    @Test("Keys that are written twice a thousand times over are not all told")
    func manyDuplicates() {
        let result = YAMLReader().read(text: String(repeating: "a: 1\n", count: 5_000), file: "weir.yaml")
        #expect(result.problems.count == SettingReading.problemsKept + 1)
        #expect(result.problems.last?.message == "too many keys are written twice up to here")
    }

    @Test("A file over the size limit is refused before it is looked at")
    func tooLarge() {
        var limits = YAMLLimits()
        limits.bytes = 1_000
        let result = YAMLReader(limits: limits).read([UInt8](repeating: 0x20, count: 1_001), file: "weir.yaml")
        #expect(result.problems.map(\.message) == ["`weir.yaml` is larger than 1kB"])
    }

    @Test("Broken and random text never crashes the readers")
    func randomText() {
        var random = SplitMix(seed: 7)
        let pieces = [
            "a", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", "&x ", "*x", "\"", "'", "|", ">", "#", "!", "%",
            "---\n", "<<: ", "\t", "destinations:", "type: http",
            "siem:", "8MB", "token: x", "\u{85}", "\u{2028}", "é", "\r\n", "? ", ",", "null", "~", "\\",
        ]
        for _ in 0..<4_000 {
            let text = (0..<random.next() % 40).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
            let (_, problems, _) = readSample(text)
            _ = ProblemText().text(problems)
        }
        for _ in 0..<2_000 {
            let bytes = (0..<random.next() % 60).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = YAMLReader().read(bytes, file: "weir.yaml")
        }
    }
}
