import Foundation

/// Offsets from UTC: fixed (`+02:00`, `-09:30`, `02:00`) or by the name of a zone (`Europe/Rome`, `UTC`).
enum TimeZones {
    /// Seconds east of UTC; nil for a zone that nobody knows.
    static func offset(of zone: String, at instant: Instant) -> Int64? {
        let bytes = Array(zone.utf8)
        let sign = bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") ? 1 : 0
        let digits = bytes[sign...]
        if digits.count == 5, digits[sign + 2] == UInt8(ascii: ":"),
            let hours = Int64(String(decoding: digits[sign..<(sign + 2)], as: UTF8.self)),
            let minutes = Int64(String(decoding: digits[(sign + 3)...], as: UTF8.self))
        {
            guard hours >= 0, hours < 24, minutes >= 0, minutes < 60 else { return nil }
            return (hours * 3_600 + minutes * 60) * (bytes.first == UInt8(ascii: "-") ? -1 : 1)
        }
        if zone == "UTC" || zone == "Z" || zone.isEmpty { return 0 }
        guard let found = TimeZone(identifier: zone) else { return nil }
        return Int64(found.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(instant.seconds))))
    }
}
