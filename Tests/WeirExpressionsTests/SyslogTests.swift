import Testing
import WeirExpressions
import WeirWorld

@Suite("Syslog records in expressions")
struct SyslogTests {
    private static let modern =
        #"<165>1 2026-10-11T22:14:15.003Z mymachine.example.com evntslog 4711 ID47 "#
        + #"[exampleSDID@32473 iut="3" eventSource="App\"lication"][b x="y"] An application event"#

    @Test("RFC 5424: every field")
    func modern() throws {
        func value(_ expression: String) throws -> Value { try Records.evaluate(expression, Self.modern, .syslog) }
        #expect(try value("event.facility") == .int(20))
        #expect(try value("event.severity") == .int(5))
        #expect(try value("event.host") == .string("mymachine.example.com"))
        #expect(try value("event.app") == .string("evntslog"))
        #expect(try value("event.procid") == .string("4711"))
        #expect(try value("event.msgid") == .string("ID47"))
        #expect(try value("event.message") == .string("An application event"))
        #expect(try value("event.raw") == .string(Self.modern))
        #expect(try value("event.time == timestamp('2026-10-11T22:14:15.003Z')") == .bool(true))
        #expect(try value("event.structured_data['exampleSDID@32473'].eventSource") == .string("App\"lication"))
        #expect(try value("event.structured_data.b.x") == .string("y"))
        #expect(
            try value("strftime(event.time, '%Y/%m/%d %H:%M:%S %j %F %T %s %%')")
                == .string("2026/10/11 22:14:15 284 2026-10-11 22:14:15 1791756855 %"))
    }

    @Test("RFC 5424: what is - is missing")
    func nothing() throws {
        let text = "<14>1 - - - - - -"
        #expect(
            try Records.evaluate("has(event.host) || has(event.app) || has(event.msgid)", text, .syslog) == .bool(false)
        )
        #expect(try Records.evaluate("event.message", text, .syslog) == .string(""))
        #expect(try Records.evaluate("event.time", text, .syslog) == .timestamp(Instant(Records.received)))
        #expect(try Records.evaluate("event.structured_data", text, .syslog) == .map([:]))
        #expect(throws: ExpressionFailure.self) { try Records.evaluate("event.host == 'x'", text, .syslog) }
    }

    @Test("RFC 3164: host, tag, process and a time without its year")
    func old() throws {
        let text = "<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed for lonvick on /dev/pts/8"
        #expect(try Records.evaluate("event.facility", text, .syslog) == .int(4))
        #expect(try Records.evaluate("event.severity", text, .syslog) == .int(2))
        #expect(try Records.evaluate("event.host", text, .syslog) == .string("mymachine"))
        #expect(try Records.evaluate("event.app", text, .syslog) == .string("su"))
        #expect(try Records.evaluate("event.procid", text, .syslog) == .string("77"))
        #expect(
            try Records.evaluate("event.message", text, .syslog)
                == .string("'su root' failed for lonvick on /dev/pts/8"))
        #expect(try Records.evaluate("string(event.time)", text, .syslog) == .string("2026-10-11T22:14:15Z"))
        let later = "<34>Dec 31 23:59:59 mymachine su: late"
        #expect(try Records.evaluate("event.time.getFullYear()", later, .syslog) == .int(2025))
    }

    @Test("Without a priority it is user.notice, and a line in no known form is all message")
    func loose() throws {
        for (text, message) in [("just words", "just words"), ("<999>x y", "<999>x y"), ("", ""), ("<", "<")] {
            #expect(try Records.evaluate("event.facility", text, .syslog) == .int(1))
            #expect(try Records.evaluate("event.severity", text, .syslog) == .int(5))
            #expect(try Records.evaluate("event.message", text, .syslog) == .string(message))
        }
        let forwarded = "<13>Nov 21 13:00:00 cron[3]: no host here"
        #expect(try Records.evaluate("has(event.host)", forwarded, .syslog) == .bool(false))
        #expect(try Records.evaluate("event.app", forwarded, .syslog) == .string("cron"))
    }

    @Test("A message cut at any byte is read without trouble")
    func cut() throws {
        let expression =
            "event.structured_data.size() + event.message.size() + event.severity + size(string(event.time))"
        for text in [Self.modern, "<34>Oct 11 22:14:15 mymachine su[77]: x"] {
            for length in 0...text.utf8.count {
                #expect(throws: Never.self) { try Records.evaluate(expression, String(text.prefix(length)), .syslog) }
            }
        }
    }
}
