import WeirWorld

/// The fields of one syslog message, RFC 5424 or RFC 3164, found when they are asked for.
///
/// Reading never fails: what a message lacks is missing, and a line in no known form is all message. Without a
/// priority, facility is 1 (user) and severity 5 (notice), as RFC 3164 section 4.3.3 tells relays to assume. Left out:
/// the year of an RFC 3164 time is taken from the time of arrival (a December line read in January is last year's).
struct SyslogFields {
    private let bytes: UnsafeRawBufferPointer
    private(set) var priority: Int?
    /// Ranges are empty where the field is missing or `-`.
    private(set) var stamp = 0..<0
    private(set) var host = 0..<0
    private(set) var app = 0..<0
    private(set) var procid = 0..<0
    private(set) var msgid = 0..<0
    private(set) var structured = 0..<0
    private(set) var message = 0..<0
    private(set) var isModern = false

    /// With `priorityOnly`, all other fields stay empty.
    init(_ bytes: UnsafeRawBufferPointer, priorityOnly: Bool = false) {
        self.bytes = bytes
        var end = bytes.count
        while end > 0, bytes[end - 1] == 10 || bytes[end - 1] == 13 { end -= 1 }
        var at = 0
        if end > 2, bytes[0] == UInt8(ascii: "<") {
            var number = 0
            var digit = 1
            while digit < end, digit <= 3, bytes[digit] >= 48, bytes[digit] <= 57 {
                number = number * 10 + Int(bytes[digit] - 48)
                digit += 1
            }
            if digit > 1, digit < end, bytes[digit] == UInt8(ascii: ">"), number <= 191 {
                priority = number
                at = digit + 1
            }
        }
        if priorityOnly { return }
        if priority != nil, at + 1 < end, bytes[at] == UInt8(ascii: "1"), bytes[at + 1] == 32 {
            isModern = true
            readModern(at + 2, end)
        } else {
            readOld(at, end)
        }
    }

    var facility: Int { (priority ?? 13) >> 3 }
    var severity: Int { (priority ?? 13) & 7 }

    // MARK: RFC 5424

    private mutating func readModern(_ start: Int, _ end: Int) {
        var at = start
        stamp = word(&at, end)
        host = word(&at, end)
        app = word(&at, end)
        procid = word(&at, end)
        msgid = word(&at, end)
        if at < end, bytes[at] == UInt8(ascii: "[") {
            let from = at
            while at < end, bytes[at] == UInt8(ascii: "["), let next = endOfElement(at, end) { at = next }
            structured = from..<at
        } else if at < end, bytes[at] == UInt8(ascii: "-") {
            at += 1
        }
        if at < end, bytes[at] == 32 { at += 1 }
        // A byte order mark says that the text is UTF-8 (section 6.4); it is no part of it.
        if end - at >= 3, bytes[at] == 0xEF, bytes[at + 1] == 0xBB, bytes[at + 2] == 0xBF { at += 3 }
        message = at..<end
    }

    /// The next word and the blank after it; empty for `-`.
    private func word(_ at: inout Int, _ end: Int) -> Range<Int> {
        let from = at
        while at < end, bytes[at] != 32 { at += 1 }
        let range = from..<at
        if at < end { at += 1 }
        return range.count == 1 && bytes[from] == UInt8(ascii: "-") ? 0..<0 : range
    }

    private func endOfElement(_ start: Int, _ end: Int) -> Int? {
        var at = start + 1
        var isQuoted = false
        while at < end {
            switch bytes[at] {
            case UInt8(ascii: "\\") where isQuoted: at += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "]") where !isQuoted: return at + 1
            default: break
            }
            at += 1
        }
        return nil
    }

    // MARK: RFC 3164

    private mutating func readOld(_ start: Int, _ end: Int) {
        var at = start
        if let length = oldStampLength(at, end) {
            stamp = at..<(at + length)
            at += length
            if at < end, bytes[at] == 32 { at += 1 }
            let from = at
            while at < end, bytes[at] != 32 { at += 1 }
            // `Nov 21 13:00:00 app[1]: text`: a word that ends in a colon is the tag, and the host was left out.
            if at > from, bytes[at - 1] != UInt8(ascii: ":"), at < end {
                host = from..<at
                at += 1
            } else {
                at = from
            }
        }
        readTag(at, end)
    }

    /// `Mmm dd hh:mm:ss`, or an RFC 3339 time as rsyslog and syslog-ng write in its place.
    private func oldStampLength(_ at: Int, _ end: Int) -> Int? {
        func isDigit(_ offset: Int) -> Bool { bytes[at + offset] >= 48 && bytes[at + offset] <= 57 }
        if end - at >= 15, bytes[at + 3] == 32, bytes[at + 6] == 32, bytes[at + 9] == 58, bytes[at + 12] == 58,
            isDigit(5), isDigit(7), isDigit(8), isDigit(10), isDigit(11), isDigit(13), isDigit(14), month(at) != nil
        {
            return 15
        }
        guard end - at >= 20, isDigit(0), isDigit(3), bytes[at + 4] == UInt8(ascii: "-"),
            bytes[at + 10] == UInt8(ascii: "T")
        else { return nil }
        var length = 0
        while at + length < end, bytes[at + length] != 32, length < 40 { length += 1 }
        return length
    }

    private mutating func readTag(_ start: Int, _ end: Int) {
        var at = start
        while at < end, at - start < 128, isTag(bytes[at]) { at += 1 }
        let name = start..<at
        var process = 0..<0
        if at < end, at > start, bytes[at] == UInt8(ascii: "[") {
            let from = at + 1
            var close = from
            while close < end, bytes[close] != UInt8(ascii: "]"), close - from < 128 { close += 1 }
            if close < end, bytes[close] == UInt8(ascii: "]") {
                process = from..<close
                at = close + 1
            }
        }
        guard !name.isEmpty, at < end, bytes[at] == UInt8(ascii: ":") else {
            message = start..<end
            return
        }
        app = name
        procid = process
        at += 1
        if at < end, bytes[at] == 32 { at += 1 }
        message = at..<end
    }

    private func isTag(_ byte: UInt8) -> Bool {
        byte > 32 && byte < 127 && byte != UInt8(ascii: ":") && byte != UInt8(ascii: "[")
    }

    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    private func month(_ at: Int) -> Int? {
        for month in 0..<12 {
            let name = Self.months[(month * 3)..<(month * 3 + 3)]
            if name.elementsEqual(bytes[at..<(at + 3)]) { return month + 1 }
        }
        return nil
    }

    // MARK: Values

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    private func optional(_ range: Range<Int>) -> Value? { range.isEmpty ? nil : .string(text(range)) }

    static let names = [
        "facility", "severity", "host", "app", "procid", "msgid", "structured_data", "time", "message", "raw",
    ]

    func value(_ name: String, received: WallTime) -> Value? {
        switch name {
        case "facility": .int(Int64(facility))
        case "severity": .int(Int64(severity))
        case "host": optional(host)
        case "app": optional(app)
        case "procid": optional(procid)
        case "msgid": optional(msgid)
        case "structured_data": .map(structuredData())
        case "time": .timestamp(time(received))
        case "message": .string(text(message))
        case "raw": .string(text(0..<bytes.count))
        default: nil
        }
    }

    func map(received: WallTime) -> ValueMap {
        var map = ValueMap()
        for name in Self.names where name != "raw" {
            if let value = value(name, received: received) { map[.string(name)] = value }
        }
        return map
    }

    private func time(_ received: WallTime) -> Instant {
        guard !stamp.isEmpty else { return Instant(received) }
        let slice = UnsafeRawBufferPointer(rebasing: bytes[stamp])
        guard stamp.count == 15, slice[3] == 32 else { return Instant.parse(slice) ?? Instant(received) }
        func number(_ at: Int) -> Int { (slice[at] == 32 ? 0 : Int(slice[at]) - 48) * 10 + Int(slice[at + 1]) - 48 }
        let arrived = CivilDate(received)
        let month = month(stamp.lowerBound) ?? 1
        let day = number(4)
        guard day >= 1, day <= 31, number(7) < 24, number(10) < 60, number(13) < 60 else { return Instant(received) }
        // The year that is not there: this one, unless that lay more than a day ahead.
        var year = arrived.year
        if CivilDate.days(year: year, month: month, day: day)
            > CivilDate.days(year: year, month: arrived.month, day: arrived.day) + 1
        {
            year -= 1
        }
        let seconds =
            CivilDate.days(year: year, month: month, day: day) * 86_400 + number(7) * 3_600 + number(10) * 60
            + number(13)
        return Instant(seconds: Int64(seconds)) ?? Instant(received)
    }

    /// `[id name="value" …]…` as a map of maps; `\"`, `\\` and `\]` are undone.
    private func structuredData() -> ValueMap {
        var result = ValueMap()
        var at = structured.lowerBound
        let end = structured.upperBound
        while at < end, bytes[at] == UInt8(ascii: "[") {
            at += 1
            let idFrom = at
            while at < end, bytes[at] != 32, bytes[at] != UInt8(ascii: "]") { at += 1 }
            let id = text(idFrom..<at)
            var parameters = ValueMap()
            while at < end, bytes[at] != UInt8(ascii: "]") {
                guard bytes[at] == 32 else {
                    at += 1
                    continue
                }
                at += 1
                let nameFrom = at
                while at < end, bytes[at] != UInt8(ascii: "="), bytes[at] != 32, bytes[at] != UInt8(ascii: "]") {
                    at += 1
                }
                let name = text(nameFrom..<at)
                guard at + 1 < end, bytes[at] == UInt8(ascii: "="), bytes[at + 1] == UInt8(ascii: "\"") else {
                    continue
                }
                at += 2
                var content: [UInt8] = []
                while at < end, bytes[at] != UInt8(ascii: "\"") {
                    if bytes[at] == UInt8(ascii: "\\"), at + 1 < end, [34, 92, 93].contains(bytes[at + 1]) { at += 1 }
                    content.append(bytes[at])
                    at += 1
                }
                at += 1
                parameters[.string(name)] = .string(String(decoding: content, as: UTF8.self))
            }
            at += 1
            result[.string(id)] = .map(parameters)
        }
        return result
    }
}
