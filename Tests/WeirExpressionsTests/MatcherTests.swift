import Testing
import WeirExpressions
import WeirWorld

@Suite("Matcher")
struct MatcherTests {
    /// Every way a clause can be written, over names that the events below have, lack, nest or spell oddly.
    private static func expression(_ random: inout SplitMix) -> String {
        let fields = [
            "event.level", "event.status", "event.took", "event.ok", "event.user.name", "event.user.deep.x",
            "event.none",
            "event.absent", "event['a b']", "event.message", "event.raw", "event.a_rather_long_key_name", "event.e",
            "event.host", "event.severity", "event.app", "event.facility", "event.time",
        ]
        let constants = [
            "'error'", "'info'", "''", "'ü'", "500", "0", "-3", "1.5", "12u", "true", "false", "null", "'a\\\\b'",
            "'x\\ny'",
            "9007199254740993", "'web-01'", "3", "'4711'",
        ]
        func pick(_ list: [String]) -> String { list[Int.random(in: 0..<list.count, using: &random)] }
        func clause() -> String {
            let field = pick(fields)
            switch Int.random(in: 0..<14, using: &random) {
            case 0...3: return "\(field) \(pick(["==", "!="])) \(pick(constants))"
            case 4...5: return "\(field) \(pick(["<", "<=", ">", ">="])) \(pick(constants))"
            case 6: return "\(pick(constants)) \(pick(["==", "<", ">="])) \(field)"
            case 7: return "\(field) in [\(pick(constants)), \(pick(constants)), \(pick(constants))]"
            case 8:
                return
                    "\(field).\(pick(["startsWith", "endsWith", "contains"]))"
                    + "(\(pick(["'e'", "'er'", "'ror'", "''", "'ü'"])))"
            case 9: return field.contains("[") ? "true" : "has(\(field))"
            case 10:
                return "event.?\(pick(["level", "absent", "status"])).orValue(\(pick(constants))) == \(pick(constants))"
            case 11: return field
            case 12: return "\(field).matches('\(pick(["^er", "o+r", "[0-9]$", "(a|b)*c"]))')"
            default:
                return pick([
                    "size(event.level) > 3", "source == 'edge'", "meta.tenant == 'b'", "1 / 0 == 1", "'level' in event",
                ])
            }
        }
        func condition(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 2 ? 3 : 7), using: &random) {
            case 0...2: return clause()
            case 3: return "!(\(condition(depth + 1)))"
            case 4: return "(\(condition(depth + 1)) || \(condition(depth + 1)))"
            default: return "(\(condition(depth + 1)) && \(condition(depth + 1)))"
            }
        }
        return condition(0)
    }

    private static func json(_ random: inout SplitMix) -> String {
        let values = [
            #""error""#, #""info""#, #""""#, #""\u0065rror""#, #""ü""#, #""a\\b""#, #""x\ny""#,
            #""he said \"no\" {[:,]}""#, "500",
            "0", "-3", "1.5", "15e-1", "12", "1e400", "9007199254740993", "123456789012345678901", "true", "false",
            "null",
            #"{"name":"ada","deep":{"x":1}}"#, #"{"name":5}"#, "[]", #"[1,{"level":"error"},"}"]"#,
            #"{"level":{"level":"info"}}"#,
            "\"tab\ttab\"", "012", "tru", "-", #"{"name":"\"","deep":[]}"#,
        ]
        let names = [
            #""level""#, #""status""#, #""took""#, #""ok""#, #""user""#, #""none""#, #""a b""#, #""message""#,
            #""raw""#,
            #""a_rather_long_key_name""#, #""x_rather_long_key_name""#, #""lev\u0065l""#, #""xlevel""#, #""\"level""#,
            #""e""#, #""time""#, #""host""#,
            #""""#, #""\\""#,
        ]
        func blank() -> String { ["", "", "", " ", "\t ", "  \r\n"][Int.random(in: 0..<6, using: &random)] }
        var text = blank() + "{"
        let count = Int.random(in: 0..<14, using: &random)
        for at in 0..<count {
            if at > 0 { text += "," }
            text += blank() + names[Int.random(in: 0..<names.count, using: &random)] + blank() + ":" + blank()
            text += values[Int.random(in: 0..<values.count, using: &random)] + blank()
        }
        return text + "}" + blank()
    }

    private static func syslog(_ random: inout SplitMix) -> String {
        let lines = [
            "<11>1 2026-11-21T13:03:21.25Z web-01 checkout 4711 ID47 [a b=\"c\"] error: all is lost",
            "<165>1 - - - - - -",
            "<13>Nov 21 13:03:21 web-01 app[4711]: error", "<13>Nov 21 13:03:21 app: info", "no syslog at all", "",
            "<999>x", "<3>",
            "<14>1 2026-11-21T13:03:21Z web-01 app - - - \u{FEFF}error",
            "<0>2026-11-21T13:03:21+01:00 web-01 kernel: panic",
        ]
        return lines[Int.random(in: 0..<lines.count, using: &random)]
    }

    private static func mutated(_ text: String, _ random: inout SplitMix) -> [UInt8] {
        var bytes = Array(text.utf8)
        guard !bytes.isEmpty, Int.random(in: 0..<4, using: &random) == 0 else { return bytes }
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            case 2: bytes.removeLast(bytes.count - at)
            default: bytes.insert(Array("\"\\{}[]:, \u{1}".utf8)[Int.random(in: 0..<10, using: &random)], at: at)
            }
        }
        return bytes
    }

    @Test(
        "The fast way and the general evaluator agree, over thousands of conditions and records", arguments: [0, 1, 2])
    func agreement(scanner: Int32) throws {
        Matcher.chooseScanner(scanner)
        defer { Matcher.chooseScanner(-1) }
        var random = SplitMix(seed: 20_261_121 + UInt64(scanner))
        var fast = 0
        for _ in 0..<800 {
            let source = Self.expression(&random)
            guard let matcher = try? Matcher(source) else { continue }
            fast += matcher.isFast ? 1 : 0
            let kind = [RecordKind.json, .json, .json, .raw, .syslog][Int.random(in: 0..<5, using: &random)]
            var events: [[UInt8]] = []
            for _ in 0..<12 {
                let text =
                    kind == .syslog
                    ? Self.syslog(&random)
                    : kind == .raw && Bool.random(using: &random)
                        ? "error and \(Int.random(in: 0..<99, using: &random))" : Self.json(&random)
                events.append(Self.mutated(text, &random))
            }
            let wanted = Records.matchOneByOne(matcher, events, kind)
            let separator = Int.random(in: 0...1, using: &random)
            let result = Records.select(matcher, events, kind, separator: separator)
            for (at, event) in events.enumerated() where result.selected[at] != (wanted[at] ?? false) {
                let text = String(decoding: event, as: UTF8.self)
                let general = String(describing: wanted[at])
                Issue.record("\(source) over \(kind) \(text): \(result.selected[at]), general \(general)")
            }
            #expect(result.matched == wanted.count { $0 == true }, "\(source)")
            #expect(
                result.failed == wanted.count { $0 == nil },
                "\(source) over \(kind) \(events.map { String(decoding: $0, as: UTF8.self) })")
        }
        #expect(fast > 400)
    }

    @Test("Of equal keys the last one counts, in both ways of reading")
    func lastKeyWins() throws {
        let matcher = try Matcher("event.a == 2")
        let event = Array(#"{"a":1,"b":{"a":3},"a":2}"#.utf8)
        #expect(Records.select(matcher, [event], .json).selected == [true])
        #expect(Records.matchOneByOne(matcher, [event], .json) == [true])
    }

    @Test("A text that was cut off fails, wherever the cut is")
    func cutOff() throws {
        let whole = Array(#"{"level":"error","user":{"name":"ada"},"list":[1,2,"]}"],"n":12}"#.utf8)
        let matcher = try Matcher("event.level == 'error'")
        for length in 1..<whole.count {
            #expect(Records.select(matcher, [Array(whole[..<length])], .json).failed == 1, "cut at \(length)")
        }
        #expect(Records.select(matcher, [whole], .json).matched == 1)
    }

    @Test("Keys and values are found at every offset of a block")
    func offsets() throws {
        let matcher = try Matcher("event.level == 'error' && event.a_rather_long_key_name == 7")
        for padding in 0..<200 {
            let pad = String(repeating: "x", count: padding)
            for extra in ["", #""s":"\\\"","#] {
                let event = Array(#"{"pad":"\#(pad)",\#(extra)"level":"error","a_rather_long_key_name":7}"#.utf8)
                #expect(Records.select(matcher, [event, event], .json).matched == 2, "padding \(padding)")
            }
        }
    }

    @Test("A condition without the event is evaluated once and holds for all")
    func constant() throws {
        let events = Array(repeating: Array("x".utf8), count: 5)
        #expect(Records.select(try Matcher("source == 'edge'"), events, .raw).matched == 5)
        #expect(Records.select(try Matcher("true"), events, .raw).matched == 5)
        #expect(Records.select(try Matcher("meta.absent == 'x'"), events, .raw).failed == 5)
        #expect(Records.select(try Matcher("source == 'edge' && event.message == 'x'"), events, .raw).matched == 5)
    }

    @Test("Ends that make no sense fail instead of reading elsewhere")
    func brokenEnds() throws {
        let matcher = try Matcher("event.a == 1")
        let slab = Array("{\"a\":1}\n{\"a\":1}\n".utf8)
        var selected: [Bool] = []
        let ends: [UInt32] = [8, 4, 400, 16]
        let counts = slab.withUnsafeBytes { bytes in
            ends.withUnsafeBufferPointer { ends in
                matcher.select(slab: bytes, ends: ends, separator: 1, kind: .json, into: &selected)
            }
        }
        #expect(selected == [true, false, false, true])
        #expect(counts.failed == 2)
    }

    @Test("What is no condition is refused")
    func noCondition() {
        #expect(throws: ExpressionProblem.self) { try Matcher("1 + 1") }
        #expect(throws: ExpressionProblem.self) { try Matcher("event.a ==") }
        #expect(throws: Never.self) { try Matcher("event.a") }
    }
}
