import Testing
import WeirExpressions
import WeirWorld

@Suite("The expression language")
struct LanguageTests {
    private static func value(_ source: String, stepsMost: Int = 100_000) throws -> Value {
        var environment = ExpressionEnvironment.bindings([String](), checking: .off)
        environment.stepsMost = stepsMost
        return try Expression(source, environment: environment).evaluate(bindings: [:])
    }

    /// Each is true: the string, math, list and macro extensions beyond the conformance folder.
    @Test(
        "Extensions",
        arguments: [
            "'tacocat'.charAt(3) == 'o' && 'tacocat'.charAt(7) == ''",
            "'ta©o©αT'.indexOf('©', 3) == 4 && 'ta©o©αT'.indexOf('©α', 5) == -1",
            "'bananananana'.lastIndexOf('nana', 7) == 6 && ''.lastIndexOf('@@') == -1",
            "'TacoCÆt'.lowerAscii() == 'tacocÆt' && 'tacoCαt'.upperAscii() == 'TACOCαT'",
            "'{0} and {0}'.replace('{0}', '2', 1) == '2 and {0}' && 'ab'.replace('', '-') == '-a-b-'",
            "'a b c'.split(' ', 2) == ['a', 'b c'] && 'abc'.split('') == ['a', 'b', 'c'] && 'x'.split(' ', 0) == []",
            "'ta©o'.substring(2, 3) == '©' && '\\u0085\\u00a0x\\u3000'.trim() == 'x' && '\\u200bx'.trim() == "
                + "'\\u200bx'",
            "['x', 'y'].join('-') == 'x-y' && [].join() == '' && 'abc'.reverse() == 'cba'",
            "strings.quote('a\"\\n\\\\') == '\"a\\\\\"\\\\n\\\\\\\\\"'",
            "'%s %d %.2f %x %b %o %e'.format(['a', 1, 2.5, 255, 5, 8, 1052.032911275]) == 'a 1 2.50 ff 101 10 "
                + "1.052033e+03'",
            "'%s'.format([{'b': [1, null], 'a': duration('2h')}]) == '{a: 7200s, b: [1, null]}' && '%%'.format([]) "
                + "== '%'",
            "math.greatest(1, 2.5, 2u) == 2.5 && math.least([3, 1u]) == 1 && math.round(-1.5) == -2.0",
            "math.bitShiftRight(-1024, 3) == -128 && math.bitShiftLeft(1, 200) == 0 && math.bitNot(0u) == "
                + "18446744073709551615u",
            "[1, 2, 3].transformList(i, v, i > 0, v * 2) == [4, 6] && {'a': 1}.transformMap(k, v, v + 1) == {'a': 2}",
            "[7].existsOne(i, v, i == 0 && v == 7) && {'a': 1}.all(k, v, k == 'a' && v == 1)",
            "{'a': 1}.transformMapEntry(k, v, {k + 'x': v}) == {'ax': 1}",
            "[3, 1, 2].sort() == [1, 2, 3] && [1, 1, 2].distinct() == [1, 2] && lists.range(3) == [0, 1, 2]",
            "[[1, [2]], [3]].flatten(2) == [1, 2, 3] && [1, 2, 3].slice(1, 3) == [2, 3]",
            "sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
            "r'a\\b' == 'a\\\\b' && '''a\"b''' == 'a\"b' && b'\\xff' == b'\\377' && rb'\\x' == b'\\\\x'",
            "{ 'as': 1 }.as == 1 && --19 == 19 && !!true // and a comment",
            "'e\\u0301' != '\\u00e9' && size('e\\u0301') == 2",
            "strftime(0, '%F') == '1970-01-01' && strftime('2026-11-21T23:30:00-01:00', '%d') == '22' && "
                + "strftime(1.5, '%s') == '1'",
            "cidr('10.0.0.0/8').containsIP('10.2.3.4') && ip('::1').isLoopback()",
        ])
    func extensions(source: String) throws {
        #expect(try Self.value(source) == .bool(true), "\(source)")
        let expression = try Expression(source, environment: .bindings([String](), checking: .strict))
        #expect(expression.resultType == "bool", "\(source)")
    }

    @Test(
        "Wrong arguments fail",
        arguments: [
            "'tacocat'.charAt(30)", "'tacocat'.indexOf('a', 30)", "'tacocat'.substring(4, 3)", "42.charAt(2)",
            "'%d'.format(['a'])",
            "'%d %d'.format([1])", "'%E'.format([0.5])", "math.abs(-9223372036854775808)", "math.bitShiftLeft(1, -1)",
            "[1, 'a'].sort()",
            "'a'.replace('2', '1', 1, false)", "strftime('yesterday', '%d')", "strftime(0, '%Q')",
            "timestamp(0).getHours('Nowhere/City')",
            "'a'.matches('(')",
        ])
    func failures(source: String) {
        #expect(throws: ExpressionFailure.self) { try Self.value(source) }
    }

    @Test("Problems carry line, column, the line and a caret")
    func problems() {
        let source = "event.level == 'x' &&\n  evnt.status > 3"
        do {
            _ = try Expression(source)
            Issue.record("accepted")
        } catch {
            #expect(error.line == 2 && error.column == 3)
            #expect(
                error.description
                    == "2:3: undeclared reference to 'evnt', did you mean 'event'?\n |   evnt.status > 3\n | ..^")
        }
    }

    @Test(
        "What cannot be read says what was expected",
        arguments: [
            ("event.a ==", "expected a value, found the end"), ("(1", "expected ')', found the end"),
            ("1 +* 2", "expected a value, found '*'"),
            ("'abc", "unfinished string"), ("for", "'for' is a reserved word"),
            ("1u2", "unexpected letter after a number"),
            ("'a\\q'", "unknown escape in a string"), ("a.b.", "expected a field's name, found the end"),
            ("99999999999999999999", "number out of range"),
            ("has(event)", "has() takes a field, as in has(event.user)"),
            ("event.startWith('a')", "unknown function 'startWith', did you mean 'startsWith'?"),
            ("'a'.matches('(')", "not a regular expression: missing ): ("),
            ("9223372036854775808", "number out of range"),
            ("1 == 'a'", "no matching overload for '==' applied to '(int, string)'"),
        ])
    func messages(source: String, message: String) {
        do {
            _ = try Expression(source)
            Issue.record("accepted \(source)")
        } catch {
            #expect(error.message == message)
        }
    }

    @Test(
        "The cost limit ends what would take too long",
        arguments: [
            "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, lists.range(100000).all(c, c >= 0)))",
            "lists.range(1000000).map(x, lists.range(1000000)).size() > 0",
            "cel.bind(a, lists.range(1000), a.all(x, a.all(y, a.all(z, z >= 0))))",
        ])
    func costLimit(source: String) throws {
        let clock = ContinuousClock()
        let took = try clock.measure {
            do {
                _ = try Self.value(source)
                Issue.record("evaluated")
            } catch let failure as ExpressionFailure {
                #expect(failure.kind == .tooCostly)
            }
        }
        #expect(took < .seconds(20))
    }

    @Test("Values that hold themselves many times over are cheap to make and refused when they are compared")
    func sharing() throws {
        let uses = [
            "x39 == y39", "sets.contains(x39, y39)", "x39.flatten(60)", "[x39, y39].distinct()", "x39 in [y39]",
            "'%s'.format([x39])",
        ]
        for use in uses {
            var source = use
            for level in (1...39).reversed() {
                for name in ["x", "y"] {
                    let inner = "\(name)\(level - 1)"
                    source = "cel.bind(\(name)\(level), [\(inner), \(inner)], \(source))"
                }
            }
            #expect(throws: ExpressionFailure.self, "\(use)") {
                try Self.value("cel.bind(x0, [1], cel.bind(y0, [1], \(source)))")
            }
        }
        var text = "s30.size()"
        for level in (1...30).reversed() { text = "cel.bind(s\(level), s\(level - 1) + s\(level - 1), \(text))" }
        #expect(throws: ExpressionFailure.self) { try Self.value("cel.bind(s0, 'abcdefgh', \(text))") }
    }

    @Test("A regular expression is linear in the text, whatever it says")
    func linearPatterns() throws {
        let text = String(repeating: "a", count: 30_000) + "!"
        let expression = try Expression("event.message.matches('(a+)+$')")
        let clock = ContinuousClock()
        let start = clock.now
        #expect(try Records.evaluate(expression.source, text, .raw) == .bool(false))
        let took = clock.now - start
        #expect(took < .seconds(5))
    }

    @Test("JSON becomes values and back")
    func json() throws {
        let text = #"{"a":1,"b":[1.5,true,null,"x\n\u00e9"],"c":{"d":-7},"e":18446744073709551615,"f":2.0}"#
        let value = try #require(Value(json: text))
        #expect(value.jsonText == #"{"a":1,"b":[1.5,true,null,"x\né"],"c":{"d":-7},"e":18446744073709551615,"f":2.0}"#)
        for broken in [
            "", "{", "[1,]", "01", "{\"a\" 1}", "\"\u{1}\"", "nul", "1 2", "\"\\x\"",
            String(repeating: "[", count: 5_000),
        ] {
            #expect(Value(json: broken) == nil, "\(broken.prefix(20))")
        }
        #expect(
            try Expression("x + 1", environment: .bindings(["x"])).evaluate(bindings: ["x": .int(123)]) == .int(124))
        #expect(Value.bytes([255]).jsonText == "\"/w==\"")
        #expect(Value.map([.int(1): .duration(Span(nanoseconds: 1_500_000_000))]).jsonText == #"{"1":"1.5s"}"#)
    }

    @Test("The fields that are read are known beforehand")
    func fieldsRead() throws {
        let expression = try Expression("event.a.b == 1 && has(event.c) && event['d'] == meta.x && event.?e.hasValue()")
        #expect(expression.fieldsRead == ["a", "c", "d", "e"])
        #expect(!expression.readsWholeRecord)
        #expect(try Expression("event.all(k, k != 'x')").readsWholeRecord)
        #expect(try Expression("source").resultType == "string")
        #expect(try Expression("event.a").resultType == "dyn")
        #expect(try Expression("[event.a]").resultType == "list(dyn)")
    }

    @Test("Lenient checking evaluates what strict checking refuses")
    func lenient() throws {
        #expect(throws: ExpressionProblem.self) { try Expression("1.0 == 1") }
        let expression = try Expression("1.0 == 1", environment: .bindings([String]()))
        #expect(expression.warning != nil && expression.resultType == "dyn")
        #expect(try expression.evaluate(bindings: [:]) == .bool(true))
    }
}
