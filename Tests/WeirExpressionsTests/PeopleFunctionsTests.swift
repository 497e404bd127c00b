import Testing
import WeirExpressions

@Suite("Functions for people and accounts")
struct PeopleFunctionsTests {
    private func value(_ source: String) throws -> Value {
        try Expression(source, environment: ExpressionEnvironment(variables: [:])).evaluate(bindings: [:])
    }

    @Test(
        "give what is written beside them",
        arguments: [
            ("'ÄRGER'.lower()", "ärger"), ("'jÓse-maría o\\'neil'.title()", "Jóse-María O'Neil"),
            ("'Müller Straße'.normalizeDiacritics()", "Muller Strasse"), ("'Łódź漢'.toAscii()", "Lodz"),
            ("' Anna-Lena  Müßig '.simplify()", "annalenamussig"), ("'Anna-Lena müller'.initials()", "ALM"),
            ("' a   b '.collapse()", "a b"), ("'abcdef'.left(2) + 'abcdef'.right(2) + 'abcdef'.mid(2, 2)", "abefcd"),
            ("'7'.padLeft(3, '0')", "007"), ("coalesce('', ' ', 'x')", "x"),
            ("switch('b', 'a', '1', 'b', '2', '9')", "2"), ("switch('z', 'a', '1', 'b', '2', '9')", "9"),
            ("string(parseDate('22.11.2026', 'dd.MM.yyyy'))", "2026-11-22T00:00:00Z"),
            ("string(parseDate('1.7.2026 0:30', 'd.M.yyyy H:mm', 'Europe/Berlin'))", "2026-06-30T22:30:00Z"),
            ("string(startOfDay(timestamp('2026-07-01T23:30:00Z'), 'Europe/Berlin'))", "2026-07-01T22:00:00Z"),
            ("string(timestamp('2026-01-31T10:00:00Z').addMonths(1))", "2026-02-28T10:00:00Z"),
            ("string(generalizedTime('20261122053000Z'))", "2026-11-22T05:30:00Z"),
            ("string(generalizedTime('202611220530+0130'))", "2026-11-22T04:00:00Z"),
            ("string(filetime('133769700000000000'))", "2024-11-25T01:00:00Z"), ("hex(b'\\x00\\xff')", "00ff"),
        ])
    func texts(source: String, wanted: String) throws {
        #expect(try value(source) == .string(wanted))
    }

    @Test(
        "answer yes or no",
        arguments: [
            ("'É'.eqi('é')", true), ("eqi('a', 'b')", false), ("isBlank(' ')", true), ("isBlank('x')", false),
            ("[1, 2].union([2, 3]) == [1, 2, 3]", true), ("[1, 2, 3].minus([2]) == [1, 3]", true),
            ("[1, 2, 3].intersect([3, 4]) == [3]", true),
            ("toFiletime(filetime(133769700000000000)) == 133769700000000000", true),
        ])
    func conditions(source: String, wanted: Bool) throws {
        #expect(try value(source) == .bool(wanted))
    }

    @Test(
        "fail rather than guess",
        arguments: [
            "parseDate('31.02.2026', 'dd.MM.yyyy')", "parseDate('x', 'yyyy')", "filetime('0')",
            "filetime('9223372036854775807')", "generalizedTime('2026')", "coalesce('', ' ')",
            "'a'.left(-1)",
        ])
    func failures(source: String) {
        #expect(throws: ExpressionFailure.self) { try value(source) }
    }
}
