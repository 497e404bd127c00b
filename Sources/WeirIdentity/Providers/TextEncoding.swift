/// Encodings that lists come in. What is read is always UTF-8 afterwards; what cannot be is refused with its place,
/// never mended silently: a name with a question mark in it would be written into directories.
package enum TextEncoding: String, Sendable, CaseIterable {
    case utf8 = "utf-8"
    case latin1 = "iso-8859-1"
    case windows1252 = "windows-1252"
    case utf16 = "utf-16"

    /// By the names that people write.
    package init?(named name: String) {
        switch name.lowercased().filter({ $0 != "_" && $0 != " " }) {
        case "utf-8", "utf8": self = .utf8
        case "iso-8859-1", "latin1", "latin-1", "iso8859-1": self = .latin1
        case "windows-1252", "cp1252", "ansi": self = .windows1252
        case "utf-16", "utf16", "utf-16le", "utf-16be": self = .utf16
        default: return nil
        }
    }

    struct Trouble: Error, Equatable {
        /// Of the first byte that does not fit.
        var offset: Int
        var line: Int
        var text: String
    }

    /// Windows-1252 from 0x80 to 0x9F; 0 where it has nothing.
    private static let windows: [UInt16] = [
        0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
        0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E,
        0x0178,
    ]

    /// Turns a file into UTF-8. A byte order mark decides over what was configured, and is taken off.
    func decode(_ bytes: [UInt8]) throws(Trouble) -> [UInt8] {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return try Self.checked(Array(bytes.dropFirst(3)), 3) }
        if bytes.starts(with: [0xFF, 0xFE]) { return try Self.wide(bytes, from: 2, isBig: false) }
        if bytes.starts(with: [0xFE, 0xFF]) { return try Self.wide(bytes, from: 2, isBig: true) }
        switch self {
        case .utf8: return try Self.checked(bytes, 0)
        case .latin1, .windows1252: return try single(bytes)
        case .utf16: return try Self.wide(bytes, from: 0, isBig: false)
        }
    }

    /// Back again, for writing. Nil where a character has no place in the encoding.
    func encode(_ text: [UInt8]) -> [UInt8]? {
        switch self {
        case .utf8: return text
        case .utf16:
            var result: [UInt8] = [0xFF, 0xFE]
            for unit in String(decoding: text, as: UTF8.self).utf16 {
                result.append(UInt8(truncatingIfNeeded: unit))
                result.append(UInt8(truncatingIfNeeded: unit >> 8))
            }
            return result
        case .latin1, .windows1252:
            var result: [UInt8] = []
            result.reserveCapacity(text.count)
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                if scalar.value < 0x80 || (scalar.value >= 0xA0 && scalar.value <= 0xFF)
                    || (self == .latin1 && scalar.value <= 0xFF)
                {
                    result.append(UInt8(truncatingIfNeeded: scalar.value))
                } else if self == .windows1252,
                    let at = Self.windows.firstIndex(where: { UInt32($0) == scalar.value })
                {
                    result.append(UInt8(0x80 + at))
                } else {
                    return nil
                }
            }
            return result
        }
    }

    private static func line(_ bytes: [UInt8], _ offset: Int) -> Int {
        bytes.prefix(offset).reduce(1) { $0 + ($1 == 10 ? 1 : 0) }
    }

    private static func checked(_ bytes: [UInt8], _ skipped: Int) throws(Trouble) -> [UInt8] {
        if String(validating: bytes, as: UTF8.self) != nil { return bytes }
        var at = 0
        while at < bytes.count {
            let length = bytes[at] < 0x80 ? 1 : bytes[at] >= 0xF0 ? 4 : bytes[at] >= 0xE0 ? 3 : 2
            let end = min(at + length, bytes.count)
            guard bytes[at] < 0x80 || String(validating: bytes[at..<end], as: UTF8.self) != nil else { break }
            at = end
        }
        let byte = at < bytes.count ? "0x" + String(bytes[at], radix: 16, uppercase: true) : "its end"
        throw Trouble(
            offset: at + skipped, line: line(bytes, at),
            text: "the file is not UTF-8: \(byte) cannot stand there; say `encoding: windows-1252` or what it is")
    }

    private func single(_ bytes: [UInt8]) throws(Trouble) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count >> 3)
        for (at, byte) in bytes.enumerated() {
            if byte < 0x80 {
                result.append(byte)
                continue
            }
            var value = UInt16(byte)
            if self == .windows1252, byte < 0xA0 {
                value = Self.windows[Int(byte) - 0x80]
                guard value != 0 else {
                    throw Trouble(
                        offset: at, line: Self.line(bytes, at),
                        text: "0x\(String(byte, radix: 16, uppercase: true)) is no character of windows-1252")
                }
            }
            if value < 0x800 {
                result.append(UInt8(0xC0 | value >> 6))
            } else {
                result.append(UInt8(0xE0 | value >> 12))
                result.append(UInt8(0x80 | value >> 6 & 0x3F))
            }
            result.append(UInt8(0x80 | value & 0x3F))
        }
        return result
    }

    private static func wide(_ bytes: [UInt8], from start: Int, isBig: Bool) throws(Trouble) -> [UInt8] {
        guard (bytes.count - start) % 2 == 0 else {
            throw Trouble(
                offset: bytes.count - 1, line: 0, text: "the file is UTF-16 and ends in the middle of a character")
        }
        var units: [UInt16] = []
        units.reserveCapacity((bytes.count - start) / 2)
        for at in stride(from: start, to: bytes.count, by: 2) {
            let (first, second) = (UInt16(bytes[at]), UInt16(bytes[at + 1]))
            units.append(isBig ? first << 8 | second : second << 8 | first)
        }
        guard let text = String(validating: units, as: UTF16.self) else {
            throw Trouble(offset: start, line: 0, text: "the file is not UTF-16: half of a pair stands alone")
        }
        return Array(text.utf8)
    }
}
